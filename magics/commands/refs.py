"""``nbprobe refs``: what holds the objects of a saved heap, or what they hold."""

from __future__ import annotations

import sys

from ..options import Option, OptionTable, Parsed
from .heapfile import none_of, run, whole

SUMMARY = "what holds the objects of a saved heap, as a tree"


def _address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("an address, as in 0x7f12") from None


TABLE = OptionTable(
    "nbprobe refs",
    [
        Option("type", ("--type",), "Begin at the largest of the type NAME.", "NAME"),
        Option("address", ("--address",), "Begin at the object at A.", "A", _address),
        Option("forward", ("--refs",), "Show what they hold, not what holds them."),
        Option(
            "depth", ("--max-depth",), "Go N references far [default 3].", "N", whole, 3
        ),
        Option(
            "too_many",
            ("--too-many",),
            "Show N references of one object and count the rest [default 10].",
            "N",
            whole,
            10,
        ),
        Option("limit", ("--limit",), "Begin at N objects [default 1].", "N", whole, 1),
        Option("help", ("-h", "--help"), "Show this and exit."),
    ],
    "file",
)

USAGE = """usage: nbprobe refs [options] FILE

Show what holds the objects of a heap that %heap --save FILE wrote: those of a type, one by
its address, or else the one that retains the most.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe refs`` and return the exit code: 0, 1 (the file) or 2 (usage)."""
    return run(argv, TABLE, USAGE, _show)


def _show(options: Parsed) -> int:
    from ..graphs.heaps import load_heap
    from ..graphs.heaps.tree import tree
    from ..views import units

    graph = load_heap(options.arguments[0])
    members = graph.type(options.type) if options.type else graph.all
    nodes = []
    if options.address is not None:
        nodes = graph.at(options.address)
    elif members:
        nodes = [
            node for node, _ in graph.core.largest(members.content, True, options.limit)
        ]
    if not nodes:
        what = "the heap has no such object"
        if options.address is None:
            what = units.for_stdout(none_of(options.type, graph))
        print(f"nbprobe refs: {what}", file=sys.stderr)
        return 1
    text = tree(
        graph,
        nodes,
        depth=options.depth,
        backwards=not options.forward,
        too_many=options.too_many,
    )
    print(units.for_stdout(text))
    return 0
