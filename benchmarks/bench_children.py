"""What it costs to follow child processes: a pool of 4, beside those that can do the same.

Each way runs the same program, a multiprocessing pool of 4 by fork with a known number of
calls, in turns with the plain one; what is compared is the time that its workers took of
the processors, because neighbours on the machine change the clock's. Then one child that
stops its parent (SIGSTOP), works, and lets it go on, in turns: how fast it is while the
parent is stopped; and how much of a processor collecting takes.

Usage: python bench_children.py [--turns N] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

CALLS = 40 * 2_000

JOB = """
import json, multiprocessing, resource, sys, time

def leaf(count):
    total = 0
    for number in range(count):
        total += number
    return total

def task(calls):
    return sum(leaf(50) for _ in range(calls))

if __name__ == "__main__":
    start = time.perf_counter()
    pool = multiprocessing.get_context("fork").Pool(4)
    pool.map(task, [2_000] * 40, chunksize=1)
    pool.close()
    pool.join()
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(sys.argv[1], "w") as file:
        json.dump([wall, used.ru_utime + used.ru_stime], file)
"""

STOPPING = """
import json, os, signal, sys, time

def step(number):
    return sum(i * i for i in range(number))

def work(seconds):
    steps = 0
    wall, own, all_ = time.perf_counter(), time.thread_time(), time.process_time()
    while time.perf_counter() - wall < seconds:
        step(200)
        steps += 1
    wall = time.perf_counter() - wall
    own, all_ = time.thread_time() - own, time.process_time() - all_
    return steps / wall, steps / own, (all_ - own) / wall

turns, seconds = int(sys.argv[2]), float(sys.argv[3])
work(0.5)
rows = []
for _ in range(turns):
    before = work(seconds / 2)
    os.kill(os.getppid(), signal.SIGSTOP)
    try:
        stopped = work(seconds)
    finally:
        os.kill(os.getppid(), signal.SIGCONT)
    rows.append([before, stopped, work(seconds / 2)])
with open(sys.argv[1], "w") as file:
    json.dump(rows, file)
"""

COVERAGERC = """
[run]
concurrency = multiprocessing
patch = subprocess
parallel = true
"""


def ways(folder: Path) -> dict[str, list[str]]:
    """Give the command of each way, but for the program and its arguments."""
    module = [sys.executable, "-m"]
    found = {
        "plain": [sys.executable],
        "nbprobe prun": [*module, "nbprobe", "prun"],
        "nbprobe prun --children": [*module, "nbprobe", "prun", "--children"],
        "nbprobe lprun --children": [
            *(*module, "nbprobe", "lprun", "-l", "--children"),
            *("-p", "job.py", "-o", "job.lprof"),
        ],
    }
    peers = {
        "viztracer": ["viztracer", "-o", "trace.json", "--"],
        "coverage": ["coverage", "run", "--rcfile=coveragerc"],
        "memray": ["memray", "run", "-q", "--follow-fork", "-o", "memray.bin"],
    }
    for name, words in peers.items():
        if find_spec(name):
            title = f"{name} --follow-fork" if name == "memray" else name
            found[title] = [*module, *words]
    (folder / "coveragerc").write_text(COVERAGERC)
    return found


def run(command: list[str], folder: Path) -> tuple[float, float]:
    times = folder / "times.json"
    done = subprocess.run(
        [*command, "job.py", str(times)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode or not times.exists():
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}")
    wall, cpu = json.loads(times.read_text())
    times.unlink()
    return wall, cpu


def left(folder: Path, before: set[str]) -> str:
    """Say what a way has left behind, and take it away."""
    files = [path for path in folder.iterdir() if path.name not in before]
    size = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink()
    return f"{len(files)} files, {size / 1e6:.2f} MB"


def compare(turns: int) -> None:
    """Print what each way costs the workers of a pool."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.py").write_text(JOB)
        commands = ways(folder)
        before = {path.name for path in folder.iterdir()}
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in commands}
        files = {}
        run(commands["plain"], folder)
        for _ in range(turns):
            for way, command in commands.items():
                plain, own = run(commands["plain"], folder), run(command, folder)
                found[way].append((own[0] / plain[0], own[1] / plain[1]))
                files[way] = left(folder, before)
    print(f"\na pool of 4, {CALLS:,} calls; times beside plain, median of {turns}")
    print(f"{'':<28}{'processors':>12}{'clock':>9}   what is left on disk")
    for way, ratios in found.items():
        wall, cpu = zip(*ratios, strict=True)
        print(
            f"{way:<28}{'x':>7}{statistics.median(cpu):.2f}"
            f"{'x':>5}{statistics.median(wall):.2f}   {files[way]}"
        )


def stopped(turns: int, seconds: float) -> None:
    """Print how fast a child is whose parent is stopped, and what collecting takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script, rows = folder / "child.py", folder / "rows.json"
        script.write_text(STOPPING)
        parent = folder / "parent.py"
        words = [sys.executable, str(script), str(rows), str(turns), str(seconds)]
        parent.write_text(f"import subprocess\nsubprocess.run({words!r}, check=True)\n")
        command = [sys.executable, "-m", "nbprobe", "prun", "--children", str(parent)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        measured = json.loads(rows.read_text())
    print(
        f"\na child whose parent is stopped, beside the same while it is not: {turns} turns"
    )
    for place, how in ((0, "by the clock"), (1, "by the processor")):
        ratios = [
            row[1][place] / ((row[0][place] + row[2][place]) / 2) for row in measured
        ]
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"  speed {how:<18}{statistics.median(ratios) - 1:>+7.1%}"
            f"   quartiles {low - 1:+.1%} {high - 1:+.1%}"
        )
    shares = [part[2] for row in measured for part in row]
    print(f"  collecting took {statistics.median(shares):.2%} of a processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)
    print(f"Python {sys.version.split()[0]}")
    compare(options.turns)
    stopped(options.turns, options.seconds)


if __name__ == "__main__":
    main()
