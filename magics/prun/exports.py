"""The profile in the formats of other tools.

Formats that show time from left to right get the tree laid out so: each call path once, as
long as all its calls took together, callees in the order in which they were first called.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .pairs import rows

if TYPE_CHECKING:
    from .result import ProfileResult, Thread

__all__ = [
    "FORMATS",
    "callgrind",
    "chrome_trace",
    "collapsed",
    "export",
    "format_of",
    "speedscope",
]


def collapsed(result: ProfileResult) -> str:
    """Give one line a path: its frames between semicolons, then its own time in ns."""
    lines = []
    for thread in result.threads:
        head = _plain(thread.name)
        stack: list[str] = []
        for index, entered in thread.walk():
            if not entered:
                stack.pop()
                continue
            stack.append(_plain(_frame(result, thread, index)))
            own = round(thread.self_ns[index])
            if own > 0:
                lines.append(f"{';'.join([head, *stack])} {own}\n")
    return "".join(lines)


def _plain(name: str) -> str:
    """Take out what the format gives a meaning to."""
    return re.sub(r"[;\s]+", " ", name).strip() or "?"


def _frame(result: ProfileResult, thread: Thread, index: int) -> str:
    function = result.functions[thread.function[index]]
    if function.native:
        return function.name
    return f"{function.qualname} ({os.path.basename(function.file)}:{function.line})"


def _laid_out(thread: Thread) -> Iterator[tuple[int, bool, float]]:
    """Go through the tree with the place of each node's ends on a line, ns."""
    # A node takes the time of its parts, so that rounding never makes one stick out.
    now = 0.0
    for index, entered in thread.walk():
        if not entered:
            # Its own time stands behind that of its callees.
            now += thread.self_ns[index]
        yield index, entered, now


def speedscope(result: ProfileResult) -> str:
    """Give speedscope's JSON: one profile a thread."""
    profiles = []
    for thread in result.threads:
        events: list[dict[str, Any]] = [
            {
                "type": "O" if entered else "C",
                "frame": thread.function[index],
                "at": place,
            }
            for index, entered, place in _laid_out(thread)
        ]
        profiles.append(
            {
                "type": "evented",
                "name": thread.name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": events[-1]["at"] if events else 0,
                "events": events,
            }
        )
    frames = [
        {"name": function.name}
        if function.native
        else {"name": function.qualname, "file": function.file, "line": function.line}
        for function in result.functions
    ]
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "nbprobe",
        "name": result.statement or "profile",
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": profiles,
    }
    return json.dumps(document)


def chrome_trace(result: ProfileResult) -> str:
    """Give the trace events of Chrome and Perfetto."""
    events: list[dict[str, Any]] = []
    for number, thread in enumerate(result.threads):
        place = {"pid": 1, "tid": number}
        name = {"name": "thread_name", "ph": "M", "args": {"name": thread.name}}
        events.append(name | place)
        began: list[float] = []
        for index, entered, now in _laid_out(thread):
            if entered:
                began.append(now)
                continue
            function = result.functions[thread.function[index]]
            start = began.pop()
            event: dict[str, Any] = {
                "name": function.qualname,
                "cat": "native" if function.native else "python",
                "ph": "X",
                "ts": start / 1e3,
                "dur": (now - start) / 1e3,
                "args": {
                    "calls": thread.calls[index],
                    "self_us": thread.self_ns[index] / 1e3,
                    "file": f"{function.file}:{function.line}",
                },
            }
            events.append(event | place)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"})


def callgrind(result: ProfileResult) -> str:
    """Give a callgrind file: own time by function, calls and time by caller."""
    table = rows(result)
    callees: dict[Any, list[Any]] = {label: [] for label in table}
    for label, row in table.items():
        for caller, pair in row.callers.items():
            callees[caller].append((label, pair))
    lines = ["# callgrind format", "version: 1", "creator: nbprobe"]
    if result.statement:
        lines.append(f"cmd: {_plain(result.statement)}")
    lines += ["positions: line", "events: ns", ""]
    for label, row in table.items():
        file, line, name = label
        lines += [f"fl={_plain(file)}", f"fn={_plain(name)}:{line}"]
        lines.append(f"{line} {round(row.self_ns)}")
        for (file, callee_line, name), pair in callees[label]:
            lines += [f"cfl={_plain(file)}", f"cfn={_plain(name)}:{callee_line}"]
            lines.append(f"calls={pair.entries} {callee_line}")
            lines.append(f"{line} {round(pair.total_ns)}")
        lines.append("")
    return "\n".join(lines)


FORMATS: dict[str, Callable[[ProfileResult], str]] = {
    "callgrind": callgrind,
    "chrome": chrome_trace,
    "collapsed": collapsed,
    "speedscope": speedscope,
}

_ENDINGS = (
    (".speedscope.json", "speedscope"),
    (".json", "chrome"),
    (".collapsed", "collapsed"),
    (".txt", "collapsed"),
    (".callgrind", "callgrind"),
    (".prof", "pstats"),
)


def format_of(path: str | os.PathLike[str]) -> str:
    """Say which format the name of a file asks for.

    Raises
    ------
    ValueError
        It does not tell.
    """
    name = os.path.basename(os.fspath(path))
    if name.startswith("callgrind.out"):
        return "callgrind"
    for ending, format in _ENDINGS:
        if name.endswith(ending):
            return format
    endings = ", ".join(ending for ending, _ in _ENDINGS)
    raise ValueError(f"the name {name!a} tells no format; its ending must be {endings}")


def export(
    result: ProfileResult, path: str | os.PathLike[str], format: str | None
) -> None:
    """Write a profile for another tool; see `ProfileResult.export`."""
    from ..results import _write

    format = format_of(path) if format is None else format
    if format == "pstats":
        result.dump_stats(path)
    elif format in FORMATS:
        _write(path, FORMATS[format](result))
    else:
        known = ", ".join(sorted([*FORMATS, "pstats"]))
        raise ValueError(f"there is no format {format!a}: give one of {known}")
