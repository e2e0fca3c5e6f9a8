"""The heap engine beside objgraph, pympler and guppy3, on one heap in one process each.

A heap of instances with their dictionaries, lists and tuples, linked in random order, is
made anew for each tool in a process of its own; every figure is CPU time of the thread
(the least of several calls), because the machine may do other things as well. Peak
memory is what the kernel says of that process above what the heap itself took.

Usage: python bench_graphs.py [--objects 100000,1000000] [--calls N] [--tools ours,objgraph]
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


class Node:
    def __init__(self, number: int) -> None:
        self.number = number
        self.next: Node | None = None
        self.values = [number]
        self.table = {"number": number}
        self.pair = (number, self.values)


def build(tracked: int) -> list[Node]:
    """Make about `tracked` objects that the collector tracks, and link them at random."""
    nodes = [Node(number) for number in range(tracked // 4)]
    order = list(range(len(nodes)))
    random.Random(1).shuffle(order)
    for node, other in zip(nodes, order, strict=True):
        node.next = nodes[other]
    gc.collect()
    return nodes


Task = tuple[str, Callable[[list[Node]], object]]


def ours() -> list[Task]:
    from nbprobe import _core, graphs

    kept: list[Any] = []

    def analyse(nodes: list[Node]) -> object:
        kept.clear()  # two at once are not what is measured
        heap = _core.Heap(("nbprobe",))
        heap.retained(nodes)
        kept[:] = [heap]
        return heap

    return [
        ("histogram", lambda nodes: graphs.typestats()),
        ("back references, depth 3", lambda nodes: picture(graphs, nodes, 3)),
        ("back references, depth 5", lambda nodes: picture(graphs, nodes, 5)),
        ("chain to a module", lambda nodes: chain(graphs, nodes)),
        ("why", lambda nodes: graphs.why(nodes[7])),
        ("deep size of the nodes", lambda nodes: graphs.asizeof(nodes)),
        ("picture of 100 nodes", lambda nodes: draw(100)),
        ("take the heap apart", lambda nodes: _core.Heap(("nbprobe",))),
        ("retained sizes of all", analyse),
        ("retained size, kept", lambda nodes: kept[0].retained(nodes[7])),
        ("back references, depth 5, kept", lambda nodes: holders(kept[0], nodes)),
        ("with names", lambda nodes: named(kept)),
        ("growth mark", lambda nodes: _core.Mark(kept[0])),
        ("heap by type with retained", lambda nodes: kept[0].retained_by_type()),
    ]


def objgraph() -> list[Task]:
    import objgraph as module

    return [
        ("histogram", lambda nodes: module.typestats()),
        ("back references, depth 3", lambda nodes: picture(module, nodes, 3)),
        ("back references, depth 5", lambda nodes: picture(module, nodes, 5)),
        ("chain to a module", lambda nodes: chain(module, nodes)),
    ]


def pympler() -> list[Task]:
    from pympler import asizeof, muppy, summary

    return [
        ("histogram", lambda nodes: summary.summarize(muppy.get_objects())),
        ("deep size of the nodes", lambda nodes: asizeof.asizeof(nodes)),
    ]


def guppy() -> list[Task]:
    from guppy import hpy

    tool = hpy()
    return [
        ("histogram", lambda nodes: str(tool.heap())),
        ("size with what it holds alone", lambda nodes: tool.iso(nodes).domisize),
    ]


def holders(heap: Any, nodes: list[Node]) -> object:
    """Follow what holds an object through a graph that is there already."""
    level = [heap.find(nodes[7].values)]
    seen = set(level)
    for _ in range(5):
        level = [
            other
            for node in level
            for other, _ in heap.references_of(node, True)[:10]
            if other not in seen and not seen.add(other)
        ]
    return seen


def named(kept: list[Any]) -> object:
    """Take the heap with the names of its references, as heap() and %heap do."""
    from nbprobe import _core

    kept.clear()
    kept[:] = [_core.Heap(("nbprobe",), True)]
    kept[0].path(0)
    return kept[0]


def draw(count: int) -> object:
    from nbprobe import _core

    boxes = [
        {"label": f"Node\n{n} items", "shape": "box", "style": "filled,rounded"}
        for n in range(count)
    ]
    arrows = [((n - 1) // 3, n, {"label": ".next"}) for n in range(1, count)]
    arrows += [(n // 7, n, {"label": "[3]"}) for n in range(4, count, 4)]
    return _core.draw(boxes, arrows, {})


def picture(module: Any, nodes: list[Node], depth: int) -> object:
    return module.show_backrefs(
        [nodes[7].values], max_depth=depth, output=io.StringIO()
    )


def chain(module: Any, nodes: list[Node]) -> object:
    return module.find_backref_chain(nodes[7].table, module.is_proper_module)


TOOLS = {"ours": ours, "objgraph": objgraph, "pympler": pympler, "guppy": guppy}


def resident(field: str) -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1])


def cpu_time() -> float:
    """Seconds of this thread, and of the processes that draw pictures for it."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime


def run(tool: str, tracked: int, calls: int) -> list[dict[str, Any]]:
    """Measure one tool; runs in a process of its own."""
    globals()["NODES"] = nodes = build(tracked)
    rows = []
    for name, task in TOOLS[tool]():
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = resident("VmRSS")
        times = []
        for _ in range(calls):
            start = cpu_time()
            task(nodes)
            times.append(cpu_time() - start)
            if times[-1] > 2:
                break
        rows.append(
            {
                "task": name,
                "ms": 1e3 * min(times),
                "mb": (resident("VmHWM") - before) / 1024,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", default="100000,1000000")
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument(
        "--huge", action="store_true", help="10,000,000 objects as well: 8 GB, minutes"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run(options.child, int(options.objects), options.calls)))
        return
    print(f"Python {sys.version.split()[0]}; CPU ms, peak memory above the heap in MB")
    counts = [*map(int, options.objects.split(",")), *([10**7] if options.huge else [])]
    for tracked in counts:
        print(f"\n{tracked:,} tracked objects")
        for tool in options.tools.split(","):
            command = [sys.executable, __file__, "--child", tool]
            command += ["--objects", str(tracked), "--calls", str(options.calls)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = done.stderr.strip().rpartition("\n")[2]
                print(f"  {tool:<9} {reason}")
                continue
            for row in json.loads(done.stdout.splitlines()[-1]):
                print(
                    f"  {tool:<9} {row['task']:<30} {row['ms']:10.1f} {row['mb']:8.1f}"
                )


if __name__ == "__main__":
    main()
