"""Results of several engines, made by hand: ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nbprobe.live.children import Gathered
from nbprobe.live.processes import Process
from nbprobe.memit import engines as memory
from nbprobe.results import Result
from nbprobe.timeit import merging as timings

from .gallery import HOSTILE, timing
from .gallery_memit import hostile_measured, measured

__all__ = ["ENGINES"]

_HOSTILE = "".join(HOSTILE.values())


def process(number: int, name: str = "", note: str = "") -> Process:
    """One of three engines, the last of which has died."""
    is_dead = number == 2
    return Process(
        pid=0 if is_dead else 400 + number,
        parent=4,
        name=name or f"engine {number}",
        state="lost" if is_dead else "finished",
        until_ns=70_000_000,
        snapshots=int(not is_dead),
        note=note,
        kind="engine",
        host=name or "node17",
    )


def memory_of_engines() -> Result:
    """One engine allocates three times what the other does."""
    less = measured()
    more = replace(
        less,
        runs=tuple(
            replace(
                run,
                peak_rss=run.peak_rss + 300 * 2**20,
                allocated_bytes=3 * run.allocated_bytes,
            )
            for run in less.runs
        ),
        sites=tuple(
            replace(site, allocated_bytes=3 * site.allocated_bytes)
            for site in less.sites
        ),
    )
    cluster = tuple(map(process, range(3)))
    results = tuple(zip(cluster, (less, more), strict=False))
    return memory.together(Gathered(cluster, results), "clean(frame)", 80_000_000)


def hostile_memory() -> Result:
    engine = process(0, _HOSTILE, _HOSTILE)
    gathered = Gathered((engine,), ((engine, hostile_measured()),))
    return memory.together(gathered, _HOSTILE, 1)


def timings_of_engines() -> Result:
    cluster = tuple(map(process, range(3)))
    results = tuple(zip(cluster, (timing(), timing(centre=23.5)), strict=False))
    return timings.together(Gathered(cluster, results), "a + b", 300_000_000)


ENGINES: dict[str, Callable[[], Result]] = {
    "comparison_engines": timings_of_engines,
    "memit_engines": memory_of_engines,
    "memit_engines_hostile": hostile_memory,
}
