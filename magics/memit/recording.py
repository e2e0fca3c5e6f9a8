"""Memory over time, as ``mprof`` records it, and the files that it writes.

A file has one line for each thing: ``CMDLINE`` and the command; ``MEM`` with MiB and the
time; ``FUNC`` with a name, MiB and time of its beginning and of its end, and its depth;
``CHLD`` with a process, MiB and the time. Times are seconds since 1970. They are those of
memory_profiler, which reads what is written here, and the other way round.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ResultFileError
from ..results import Result

__all__ = ["MIB", "Course", "Recording", "Span", "child_line", "memory_line", "read"]

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Course:
    """The memory of one process over time.

    Attributes
    ----------
    pid : int
        0 when it is not known.
    mib : tuple of float
        Memory, MiB.
    time_s : tuple of float
        When, seconds since 1970; never decreasing.
    """

    pid: int
    mib: tuple[float, ...]
    time_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse figures without a time."""
        if len(self.mib) != len(self.time_s):
            raise ValueError("every figure must have a time")

    @property
    def peak_mib(self) -> float:
        """The most; 0 without samples."""
        return max(self.mib, default=0.0)

    @property
    def slope(self) -> float:
        """MiB a second of the line of least squares; 0 where there is none."""
        number = len(self.mib)
        if number < 2:
            return 0.0
        start = self.time_s[0]
        middle = sum(time - start for time in self.time_s) / number
        mean = sum(self.mib) / number
        spread = sum((time - start - middle) ** 2 for time in self.time_s)
        if not spread:
            return 0.0
        pairs = zip(self.time_s, self.mib, strict=True)
        together = sum((time - start - middle) * (mib - mean) for time, mib in pairs)
        return together / spread


@dataclass(frozen=True, slots=True)
class Span:
    """One run of a function or of a block that was named.

    Attributes
    ----------
    name : str
        ``module.function``.
    start_mib, start_s, end_mib, end_s : float
        Memory and time of its beginning and of its end.
    level : int
        How many of the others it ran in.
    """

    name: str
    start_mib: float
    start_s: float
    end_mib: float
    end_s: float
    level: int


@dataclass(frozen=True, slots=True, repr=False)
class Recording(Result):
    """The memory of a program over time.

    Attributes
    ----------
    command : str
        How it was started.
    main : Course
        Of the process itself; of all its processes where they were added up.
    spans : tuple of Span
        The functions whose runs were recorded.
    processes : tuple of Course
        The processes that it started, where they were recorded.
    """

    kind: ClassVar[str] = "memit.recording"

    command: str
    main: Course
    spans: tuple[Span, ...]
    processes: tuple[Course, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each sample: which process, when, how much."""
        return [
            {"process": course.pid, "time_s": time, "mib": mib}
            for course in (self.main, *self.processes)
            for time, mib in zip(course.time_s, course.mib, strict=True)
        ]

    def peak_mib(self, function: str | None = None) -> float:
        """Give the most memory, MiB; nan when the function did not run.

        Parameters
        ----------
        function : str, optional
            Only while it ran, as it is named in `spans`.
        """
        if function is None:
            return self.main.peak_mib
        spans = [span for span in self.spans if span.name == function]
        if not spans:
            return float("nan")
        return max(max(self._during(span)) for span in spans)

    def _during(self, span: Span) -> list[float]:
        """Give the figures from the beginning to the end of a run."""
        first = bisect_left(self.main.time_s, span.start_s)
        last = bisect_right(self.main.time_s, span.end_s)
        return [span.start_mib, *self.main.mib[first:last], span.end_mib]

    def window(self, first_s: float, last_s: float) -> Recording:
        """Give the part between two times, seconds from the beginning."""
        begin = self.begin_s
        first, last = begin + first_s, begin + last_s
        spans = tuple(s for s in self.spans if s.end_s >= first and s.start_s <= last)
        return Recording(
            self.command,
            _between(self.main, first, last),
            spans,
            tuple(_between(course, first, last) for course in self.processes),
        )

    @property
    def begin_s(self) -> float:
        """When the first sample was taken; 0 without samples."""
        times = [*self.main.time_s[:1], *(span.start_s for span in self.spans)]
        return min(times, default=0.0)

    def dump(self, path: str | os.PathLike[str]) -> None:
        """Write the ``.dat`` file that memory_profiler's ``mprof`` reads."""
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(self.lines())

    def lines(self) -> Iterator[str]:
        """Give the lines of the ``.dat`` file."""
        yield command_line(self.command)
        for time, mib in zip(self.main.time_s, self.main.mib, strict=True):
            yield memory_line(mib, time)
        for course in self.processes:
            for time, mib in zip(course.time_s, course.mib, strict=True):
                yield child_line(course.pid, mib, time)
        yield from map(span_line, self.spans)


def _between(course: Course, first: float, last: float) -> Course:
    chosen = [
        (mib, time)
        for mib, time in zip(course.mib, course.time_s, strict=True)
        if first <= time <= last
    ]
    return Course(course.pid, *_columns(chosen))


def _columns(
    pairs: Iterable[tuple[float, float]],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Turn pairs of memory and time into columns, in the order of time."""
    ordered = sorted(pairs, key=lambda pair: pair[1])
    return tuple(mib for mib, _ in ordered), tuple(time for _, time in ordered)


def command_line(command: str) -> str:
    """Write how the program was started."""
    return f"CMDLINE {_one_line(command)}\n"


def memory_line(mib: float, time_s: float) -> str:
    """Write one sample of the process itself."""
    return f"MEM {mib:.6f} {time_s:.4f}\n"


def child_line(pid: int, mib: float, time_s: float) -> str:
    """Write one sample of a process that it started."""
    return f"CHLD {pid} {mib:.6f} {time_s:.4f}\n"


def span_line(span: Span) -> str:
    """Write one run of a function."""
    # memory_profiler takes what follows a blank for a figure.
    name = "_".join(span.name.split()) or "?"
    return (
        f"FUNC {name} {span.start_mib:.4f} {span.start_s:.4f}"
        f" {span.end_mib:.4f} {span.end_s:.4f} {span.level}\n"
    )


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


_NUMBER = r"(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_PATTERNS = {
    "MEM": re.compile(rf"{_NUMBER} {_NUMBER}"),
    "CHLD": re.compile(rf"(\d+) {_NUMBER} {_NUMBER}"),
    # A name may have blanks in it; older files have no depth.
    "FUNC": re.compile(rf"(.+?) {_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER}(?: (\d+))?"),
    "CMDLINE": re.compile(r"(.*)"),
}


def read(path: str | os.PathLike[str]) -> Recording:
    """Read a ``.dat`` file of ours or of memory_profiler.

    Raises
    ------
    ResultFileError
        The file is damaged; the message is one line that says where.
    OSError
        The file cannot be read.

    Notes
    -----
    A last line that is cut short is left out: the program may still be running, or was
    killed. Kinds of lines that are not known are left out too.
    """
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        content = file.read()
    try:
        return _parse(content)
    except ResultFileError as error:
        raise ResultFileError(f"{os.fspath(path)!a}: {error}") from None


def _parse(content: str) -> Recording:
    lines = content.split("\n")
    lines.pop()  # empty, or cut short
    command = ""
    memory: list[tuple[float, float]] = []
    spans: list[Span] = []
    processes: dict[int, list[tuple[float, float]]] = {}
    for number, line in enumerate(lines, 1):
        kind, _, rest = line.partition(" ")
        if not re.fullmatch("[A-Z]+", kind):
            raise _damaged(number, line)
        if kind not in _PATTERNS:
            continue
        match = _PATTERNS[kind].fullmatch(rest.rstrip("\r"))
        if match is None:
            raise _damaged(number, line)
        if kind == "CMDLINE":
            command = match[1]
        elif kind == "MEM":
            memory.append((float(match[1]), float(match[2])))
        elif kind == "CHLD":
            sample = float(match[2]), float(match[3])
            processes.setdefault(int(match[1]), []).append(sample)
        else:
            mib0, time0, mib1, time1 = (float(match[group]) for group in range(2, 6))
            level = int(match[6] or 0)
            spans.append(Span(match[1], mib0, time0, mib1, time1, level))
    if not memory and not spans:
        raise ResultFileError(
            "no memory was recorded in it: the program ended at once, or this is no file"
            " of mprof"
        )
    return Recording(
        command,
        Course(0, *_columns(memory)),
        tuple(spans),
        tuple(Course(pid, *_columns(pairs)) for pid, pairs in processes.items()),
    )


def _damaged(number: int, line: str) -> ResultFileError:
    shown = line if len(line) <= 40 else line[:37] + "..."
    return ResultFileError(f"damaged: line {number} is {shown!a}")
