"""Profiles made by hand, ordinary and hostile, for the tests of everything that shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from nbprobe.live.processes import Process
from nbprobe.prun import Function, PairProfile, ProfileResult, Thread
from nbprobe.prun.imported import Sum
from nbprobe.results import Result

_HOSTILE = "<script>alert(1)</script>\x1b[31m\x00\u202e\ud800&amp;" + "long" * 200


_PARENT = (-1, 0, 1, 0, 3, 3, 3, 6)


def _summed(own: tuple[float, ...]) -> tuple[float, ...]:
    total = list(own)
    for index in range(len(own) - 1, 0, -1):
        total[_PARENT[index]] += total[index]
    return tuple(total)


def profile(**changes: Any) -> ProfileResult:
    """Make a profile of an ordinary program, with some fields changed."""
    functions = (
        Function("/home/me/report.py", 40, "main", "main"),
        Function("/home/me/report.py", 12, "load", "Report.load"),
        Function("/usr/lib/python3.13/json/__init__.py", 299, "loads", "loads"),
        Function("/home/me/report.py", 25, "visit", "Report.visit"),
        Function("~", 0, "<built-in method builtins.len>", "len"),
        Function("~", 0, "<method 'append' of 'list' objects>", "list.append"),
    )
    own = (2e6, 8e6, 310e6, 55e6, 1.2e6, 9e6, 21e6, 4e6)
    total = _summed(own)
    thread = Thread(
        name="MainThread",
        ident=140_000,
        parent=_PARENT,
        function=(0, 1, 2, 3, 4, 5, 3, 5),
        calls=(1, 12, 12, 1, 40_000, 90_000, 500, 20_000),
        resumes=(0, 0, 0, 0, 0, 0, 7, 0),
        inclusive_ns=total,
        self_ns=own,
        raw_inclusive_ns=tuple(1.2 * time for time in total),
        raw_self_ns=tuple(1.2 * time for time in own),
        crowded=0,
        dropped=0,
    )
    fields: dict[str, Any] = {
        "statement": "main('2026.json')",
        "functions": functions,
        "threads": (thread,),
        "wall_ns": 512_000_000,
        "costs_ns": (15.2, 22.8, 18.1, 14.4, 13.0, 10.5, 22.0),
        "builtins": True,
        "sort": ("time",),
        "limits": (),
        "unseen": 0,
        "displaced": False,
        "interrupted": False,
        "python": "3.13.0",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return ProfileResult(**fields | changes)


def threads() -> ProfileResult:
    """Two threads, each by itself, with what is hidden said."""
    (main,) = profile().threads
    own = (1e6,) * 8
    worker = replace(main, name="worker", self_ns=own, inclusive_ns=_summed(own))
    return profile(threads=(main, worker), by_thread=True, hide=("json",), fold=True)


def processes(name: str = "ForkPoolWorker-1", note: str = "") -> ProfileResult:
    """The work of this process and of some that it started."""
    (main,) = profile().threads
    states = ("finished", "running", "killed", "silent")
    family = tuple(
        Process(
            pid=100 + number,
            parent=42,
            name=name,
            state=state,
            since_ns=number * 80_000_000,
            until_ns=300_000_000,
            snapshots=3 - number,
            lost=number // 2,
            note=note if state == "silent" else "",
        )
        for number, state in enumerate(states)
    )
    measured = [replace(main, process=process.label) for process in family[:3]]
    return profile(threads=(main, *measured), processes=family, other_programs=1)


def engines(host: str = "node17", note: str = "ZeroDivisionError: x") -> ProfileResult:
    """The work of four engines, one of which is slow; and what became of two others."""
    (main,) = profile().threads
    states = ("finished", "finished", "failed", "finished", "lost", "silent")
    cluster = tuple(
        Process(
            pid=(100 + number) * (number < 4),
            parent=42,
            name=f"engine {number}",
            state=state,
            until_ns=300_000_000,
            snapshots=int(number < 4),
            note=note if state in ("failed", "silent") else "",
            kind="engine",
            host=host if number < 4 else "",
        )
        for number, state in enumerate(states)
    )
    threads = []
    for factor, process in zip((1.0, 1.1, 0.4, 2.3), cluster, strict=False):
        own = tuple(factor * time for time in main.self_ns)
        times = {"self_ns": own, "inclusive_ns": _summed(own)}
        threads.append(replace(main, process=process.label, **times))
    return profile(threads=tuple(threads), processes=cluster, interrupted=True)


def hostile() -> ProfileResult:
    functions = tuple(
        Function(f"/tmp/{_HOSTILE}.py", line, _HOSTILE, _HOSTILE) for line in range(6)
    )
    (thread,) = profile().threads
    return profile(
        functions=functions,
        statement=_HOSTILE,
        threads=(replace(thread, name=_HOSTILE, crowded=7, dropped=3),),
        hide=("no (such|thing)",),
        interrupted=True,
        displaced=True,
    )


def memory() -> ProfileResult:
    (thread,) = profile().threads
    sizes = (512, 96_000, 220_000_000, 4_096, 0, 3_200_000, 64, 800_000)
    blocks = (4, 24, 1_800_000, 9, 0, 41_000, 1, 9_000)
    return profile(
        threads=(replace(thread, allocated_bytes=sizes, allocated_blocks=blocks),)
    )


def difference() -> Result:
    (thread,) = profile().threads
    own = (2e6, 8e6, 90e6, 75e6, 1.2e6, 9e6, 21e6, 4e6)
    faster = replace(
        thread,
        self_ns=own,
        inclusive_ns=_summed(own),
        calls=(1, 12, 3, 1, 40_000, 90_000, 900, 20),
    )
    return profile().diff(profile(threads=(faster,)))


def pairs() -> PairProfile:
    return PairProfile(
        source="old/run.prof",
        functions=profile().functions,
        sums=(
            Sum(-1, 0, 1, 1, 2e6, 410e6),
            Sum(-1, 1, 12, 12, 8e6, 318e6),
            Sum(0, 1, 12, 12, 8e6, 318e6),
            Sum(-1, 2, 12, 12, 310e6, 310e6),
            Sum(1, 2, 12, 12, 310e6, 310e6),
        ),
    )


PRUN: dict[str, Callable[[], Result]] = {
    "prun": profile,
    "prun_difference": difference,
    "prun_empty": lambda: profile(threads=()),
    "prun_hostile": hostile,
    "prun_memory": memory,
    "prun_pairs": pairs,
    "prun_processes": partial(processes, note="started before the profile"),
    "prun_engines": engines,
    "prun_engines_hostile": partial(engines, _HOSTILE, _HOSTILE),
    "prun_processes_hostile": partial(processes, _HOSTILE, _HOSTILE),
    "prun_threads": threads,
}
