"""Memory beside its peers: known peaks, what counting costs, snapshots.

Each workload has a known peak. It runs in a fresh process under each tool, in turns; the
figure of the first run counts, and for ours all of them. *Resident* is what the kernel gave
the process at most, *allocated* what the allocators gave out and had not got back. Costs are
of an allocation and its free, or of an executed line, the fastest of several turns beside a
plain run.

Usage: python bench_memit.py [--runs N] [--only NAME] [--turns N] [--blocks N]
       [peaks | cost | lines | snapshots]
"""

from __future__ import annotations

import argparse
import os
import sys

from memit import costs, peaks, snapshots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "part", nargs="?", choices=["peaks", "cost", "lines", "snapshots"]
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=2_000_000)
    parser.add_argument("--only", default="", help="workloads with this in their name")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        peaks.one_measurement(*options.one, options.runs)
        return
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    if options.part in (None, "peaks"):
        peaks.table(options.runs, options.only)
        peaks.no_op(50)
        peaks.pool()
    if options.part in (None, "cost"):
        costs.allocations(options.turns)
    if options.part in (None, "lines"):
        costs.lines(options.turns)
    if options.part in (None, "snapshots"):
        snapshots.compare(options.blocks)


if __name__ == "__main__":
    main()
