"""The options that ``%prun`` and ``nbprobe prun`` share."""

from __future__ import annotations

import pstats
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..options import Option, OptionError, Parsed, new_file
from .calibration import costs

if TYPE_CHECKING:
    from ..live.children import Children
    from .result import ProfileResult

__all__ = [
    "BUILTINS",
    "CHILDREN",
    "EXPORT",
    "FOCUS",
    "FOLD",
    "HIDE",
    "IGNORE",
    "LIMITS",
    "MEMORY",
    "SAMPLE",
    "SORT",
    "TASKS",
    "THREADS",
    "check",
    "children_of",
    "chosen",
    "sort_key",
]


def sort_key(text: str) -> str:
    """Check a key of `pstats.Stats.sort_stats`."""
    keys = pstats.Stats().get_sort_arg_defs()
    if text not in keys:
        known = ", ".join(sorted(pstats.Stats.sort_arg_dict_default))
        raise ValueError(f"one of {known}")
    return text


def _limit(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ValueError(
            "a number of lines, a share of them or a regular expression"
        ) from None
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None
    if not text:
        raise ValueError("a regular expression that is not empty")
    return text


def _rate(text: str) -> float:
    rate = float(text) if re.fullmatch(r"[0-9.]+", text) else 0.0
    if not 1 <= rate <= 20000:
        raise ValueError("looks a second, 1 to 20000")
    return rate


LIMITS = Option(
    "limits",
    ("-l",),
    "Show only part of the table: N lines, a share of them when N has a decimal "
    "point, or those whose function matches a regular expression. May be given "
    "several times: each cuts what the one before left.",
    "LIMIT",
    _limit,
    repeatable=True,
)
SORT = Option(
    "sort",
    ("-s",),
    "Sort by this key of pstats, such as time, cumulative, calls, name, file "
    "[default time]. May be given several times.",
    "KEY",
    sort_key,
    repeatable=True,
)
THREADS = Option(
    "threads",
    ("--threads",),
    "Show each thread by itself, with a table of its own; all are recorded in any case.",
)
MEMORY = Option(
    "memory",
    ("--mem",),
    "Count too what each function allocates with Python's allocators, itself.",
)
TASKS = Option(
    "tasks",
    ("--tasks",),
    "Tell asyncio's tasks apart: each has a node above its coroutine.",
)
FOCUS = Option(
    "focus",
    ("--focus",),
    "Show only calls through functions that REGEX is found in, and the way to them. Looked "
    "for in /full/path.py:7(Class.method) and ~:0(<built-in method builtins.len>).",
    "REGEX",
    _pattern,
    repeatable=True,
)
IGNORE = Option(
    "ignore",
    ("--ignore",),
    "Leave out calls of functions that REGEX is found in, and all that they call.",
    "REGEX",
    _pattern,
    repeatable=True,
)
HIDE = Option(
    "hide",
    ("--hide",),
    "Fold functions that REGEX is found in into their callers, whose own time theirs "
    "becomes; --hide site-packages leaves only your own.",
    "REGEX",
    _pattern,
    repeatable=True,
)
FOLD = Option(
    "fold",
    ("--fold",),
    "Draw a recursion as one call in the picture of the tree.",
)
CHILDREN = Option(
    "children",
    ("--children",),
    "Profile the Python processes too that the code starts (multiprocessing, "
    "concurrent.futures, joblib, os.fork, subprocess), each with a tree of its own, and "
    "say which could not be.",
)
BUILTINS = (
    Option("builtins", ("--builtins",), "Record functions in C too [default]."),
    Option(
        "no_builtins",
        ("--no-builtins",),
        "Leave functions in C out; their time is their callers' then.",
    ),
)
SAMPLE = Option(
    "sample",
    ("--sample",),
    "Look at all stacks HZ times a second instead of counting calls [default of HZ: "
    "1000]: for code where counting is too much, and for which lines are hot. Shares have "
    "an error, which is shown.",
    "HZ",
    _rate,
    implied="1000",
)
EXPORT = Option(
    "export",
    ("--export",),
    "Write the profile to FILE for another tool; its ending says which: .collapsed, "
    ".speedscope.json, .callgrind, .json (Chrome, Perfetto), .prof.",
    "FILE",
    new_file,
)


def check(options: Parsed) -> None:
    """Refuse options that contradict each other, or would fail after the run.

    Raises
    ------
    OptionError
        Saying what to leave out or to write instead.
    """
    from .exports import format_of

    if options.builtins and options.no_builtins:
        raise OptionError("--builtins and --no-builtins: choose one")
    for flag, given in (("--tasks", options.tasks), ("--mem", options.memory)):
        if given and options.values.get("sample") is not None:
            raise OptionError(f"{flag} counts and --sample does not: choose one")
    if options.children and options.values.get("sample") is not None:
        raise OptionError("--sample looks at this process only: leave out --children")
    if options.export:
        try:
            format_of(options.export)
        except ValueError as error:
            raise OptionError(f"--export: {error}") from None


def chosen(result: ProfileResult, options: Parsed) -> ProfileResult:
    """Give a profile with the choices of the options about how it is shown."""
    return replace(
        result,
        sort=options.sort or ("time",),
        limits=options.limits,
        focus=options.focus,
        ignore=options.ignore,
        hide=options.hide,
        by_thread=options.threads,
        fold=options.values.get("fold", False),
    )


def children_of(options: Parsed) -> Children | None:
    """Make what follows child processes, if ``--children`` asks for it."""
    if not options.children:
        return None
    from ..live.children import Children

    builtins = not options.no_builtins
    recorded = {
        "builtins": builtins,
        "costs": costs(builtins),
        "memory": bool(options.memory),
        "tasks": bool(options.tasks),
    }
    return Children("prun", recorded)
