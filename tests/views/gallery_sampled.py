"""Sampled profiles made by hand, ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nbprobe.prun.result import Function, ProfileResult, Thread
from nbprobe.prun.sampled import SampledLine, Sampling
from nbprobe.results import Result

from .gallery import HOSTILE

FILES = (
    "<ipython-input-3>",
    "/home/ann/work/parse.py",
    "/home/ann/work/parse.py",
)


def thread(own: tuple[int, ...], name: str = "MainThread") -> Thread:
    """Make a thread whose functions call each other in their order."""
    below = tuple(sum(own[index:]) for index in range(len(own)))
    each = 1e6
    return Thread(
        name=name,
        ident=7,
        parent=tuple(range(-1, len(own) - 1)),
        function=tuple(range(len(own))),
        calls=below,
        resumes=(0,) * len(own),
        inclusive_ns=tuple(each * count for count in below),
        self_ns=tuple(each * count for count in own),
        raw_inclusive_ns=tuple(each * count for count in below),
        raw_self_ns=tuple(each * count for count in own),
        crowded=0,
        dropped=0,
    )


def line(function: int, number: int, samples: int, text: str) -> SampledLine:
    """Make a line of one of the functions of `sampled`."""
    return SampledLine(
        file=FILES[function],
        line=number,
        qualname=("<module>", "Reader.parse", "Reader.field")[function],
        samples=samples,
        text=text,
    )


def sampled() -> ProfileResult:
    """Make the profile of a program that parses and sorts."""
    functions = (
        Function("<ipython-input-3>", 1, "<module>", "<module>"),
        Function("/home/ann/work/parse.py", 12, "parse", "Reader.parse"),
        Function("/home/ann/work/parse.py", 40, "field", "Reader.field"),
    )
    return ProfileResult(
        statement="Reader(text).parse()",
        functions=functions,
        threads=(thread((3, 410, 820)),),
        wall_ns=1_240_000_000,
        costs_ns=(0.0,) * 7,
        builtins=False,
        sort=("time",),
        limits=(),
        unseen=0,
        displaced=False,
        interrupted=False,
        python="3.13.0",
        created="2026-11-21T12:00:00+00:00",
        sampling=Sampling(
            hz=1000.0,
            rounds=1236,
            samples=1233,
            torn=3,
            crowded=0,
            preempted=61,
            skipped=4,
            slowed=False,
            cost_ns=14_000_000,
            waiting=("IOPub", "Heartbeat"),
            lines=(
                line(2, 47, 700, "return int(text)"),
                line(1, 20, 410, "row.sort(key=f)"),
                line(2, 44, 120, "text = text.strip()"),
                line(0, 1, 3, ""),
            ),
        ),
    )


def rough() -> ProfileResult:
    """Make one with few samples, many torn, a full tree and a slow sampler."""
    base = sampled()
    assert base.sampling is not None
    sampling = replace(
        base.sampling,
        samples=12,
        torn=9,
        crowded=5,
        rounds=80,
        slowed=True,
        lines=(replace(base.sampling.lines[0], samples=9),),
    )
    return replace(
        base, threads=(thread((1, 2, 9)),), interrupted=True, sampling=sampling
    )


def hostile() -> ProfileResult:
    """Make one in which every name is hostile."""
    names = tuple(HOSTILE.values())
    base = sampled()
    assert base.sampling is not None
    functions = tuple(Function(name, 1, name, name) for name in names)
    own = tuple(range(10, 10 + len(names)))
    lines = tuple(
        SampledLine(file=name, line=index, qualname=name, samples=own[index], text=name)
        for index, name in enumerate(names)
    )
    sampling = replace(base.sampling, waiting=names, lines=lines, samples=sum(own))
    return replace(
        base,
        statement=names[0],
        functions=functions,
        threads=(thread(own, names[0]), thread(own, names[-1])),
        sampling=sampling,
    )


SAMPLED: dict[str, Callable[[], Result]] = {
    "prun_sampled": sampled,
    "prun_sampled_rough": rough,
    "prun_sampled_hostile": hostile,
}
