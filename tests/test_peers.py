"""Every public name of those whose place nbprobe takes, with the parameters it has there."""

from __future__ import annotations

import cProfile
import dis
import inspect
import timeit
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import kernprof
import line_profiler
import memory_profiler
import pytest

import nbprobe.dis
import nbprobe.lprun
import nbprobe.lprun.kernprof
import nbprobe.memit
import nbprobe.prun
import nbprobe.timeit

PAIRS = [
    (timeit, nbprobe.timeit),
    (cProfile, nbprobe.prun),
    (line_profiler, nbprobe.lprun),
    (line_profiler.line_profiler, nbprobe.lprun),
    (kernprof, nbprobe.lprun.kernprof),
    (dis, nbprobe.dis),
    (memory_profiler, nbprobe.memit),
]

# What a module has for itself, though its name does not say so.
ASIDE = {
    "timeit": {"dummy_src_name", "reindent", "template"},
    "line_profiler.line_profiler": {"get_column_widths", "minimum_column_widths"},
    "kernprof": {
        *("PYTHON_VERSION", "DIAGNOSITICS_VERBOSITY", "COMPLETED_PROCESS"),
        *("no_op", "pre_parse_single_arg_directive"),
    },
    "memory_profiler": {
        *("MemTimer", "CodeMap", "MemitResult", "MemoryProfilerMagics"),
        *("choose_backend", "exec_with_profiler", "run_module_with_profiler"),
    },
}
# State of line_profiler's own engine while it runs.
INTERNAL = {"c_last_time", "last_time", "threaddata", "tool_id"}
# And of memory_profiler's.
INTERNAL |= {
    "backend",
    "prev_lineno",
    "prevlines",
    "trace_max_mem",
    "trace_memory_usage",
}
INTERNAL |= {"call_on_stack"}
# Ours give objects where those of `dis` print; IPython hands over the shell by its place.
OWN = {"disassemble", "Instruction", "load_ipython_extension"}


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The names that a module defines, and those that it lists."""
    listed = getattr(module, "__all__", ())
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if (name in listed or is_own) and name not in ASIDE.get(module.__name__, ()):
            yield name, value


def parameters(function: Any) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def takes_as_much(ours: Any, theirs: Any) -> bool:
    """Whether every way to call the one is one to call the other."""
    mine, wanted = parameters(ours), parameters(theirs)
    if mine is None or wanted is None:
        return callable(ours)
    kinds = {each.kind for each in mine}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds:
        return True
    have = {each.name: each for each in mine}
    order = [each.name for each in mine]
    places = []
    for each in wanted:
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            if each.kind not in kinds:
                return False
            continue
        if each.name.startswith("_"):
            continue
        found = have.get(each.name)
        if found is None or (
            each.default is not each.empty and found.default is found.empty
        ):
            return False
        if each.kind is each.POSITIONAL_OR_KEYWORD:
            if found.kind is not each.kind:
                return False
            places.append(order.index(each.name))
    return places == sorted(places)


@pytest.mark.parametrize(
    ("theirs", "ours"), PAIRS, ids=[theirs.__name__ for theirs, _ in PAIRS]
)
def test_every_name_is_there_and_takes_what_it_takes(
    theirs: ModuleType, ours: ModuleType
) -> None:
    names = dict(public(theirs))
    assert len(names) >= 4
    missing = [name for name in names if not hasattr(ours, name)]
    narrower = [
        name
        for name, value in names.items()
        if callable(value)
        and name not in missing
        and name not in OWN
        and not takes_as_much(getattr(ours, name), value)
    ]
    assert (missing, narrower) == ([], [])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (timeit.Timer(), nbprobe.timeit.Timer()),
        (cProfile.Profile(), nbprobe.prun.Profile()),
        (line_profiler.LineProfiler(), nbprobe.lprun.LineProfiler()),
        (line_profiler.LineStats({}, 1), nbprobe.lprun.LineStats({}, 1)),
        (kernprof.ContextualProfile(), nbprobe.lprun.kernprof.ContextualProfile()),
        (line_profiler.profile, nbprobe.lprun.profile),
        (memory_profiler.LineProfiler(), nbprobe.memit.LineProfiler()),
        (memory_profiler.TimeStamper("psutil"), nbprobe.memit.TimeStamper()),
        (memory_profiler.LogFile(), nbprobe.memit.LogFile()),
    ],
    ids=lambda each: type(each).__qualname__,
)
def test_every_attribute_is_there_and_takes_what_it_takes(
    theirs: Any, ours: Any
) -> None:
    names = {
        name
        for name in dir(theirs)
        if not name.startswith("_") and name not in INTERNAL
    } - {"inner", "src"}
    missing = [name for name in names if not hasattr(ours, name)]
    narrower = [
        name
        for name in names
        if name not in missing
        and inspect.isroutine(getattr(theirs, name))
        and not takes_as_much(getattr(ours, name), getattr(theirs, name))
    ]
    assert (missing, narrower) == ([], [])


def test_what_compares_notices_what_is_missing() -> None:
    def theirs(a: int, b: int = 1, *, c: int = 2) -> None: ...
    def without(a: int, *, c: int = 2) -> None: ...
    def swapped(b: int = 1, a: int = 0, *, c: int = 2) -> None: ...
    def needed(a: int, b: int, *, c: int = 2) -> None: ...
    def more(a: int, b: int = 1, d: int = 3, *, c: int = 2) -> None: ...

    assert takes_as_much(more, theirs)
    for narrower in (without, swapped, needed):
        assert not takes_as_much(narrower, theirs)
