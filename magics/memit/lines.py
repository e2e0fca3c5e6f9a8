"""Memory line by line: the line engine's probes with the allocators' counters."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import CodeType, FunctionType
from typing import Any, ClassVar

from .._core import resident
from ..code import Code
from ..execution import concluded, runner
from ..lprun.discovery import users_functions
from ..lprun.recording import Recording
from ..results import Result

__all__ = [
    "FunctionMemory",
    "LineMemory",
    "MemoryLine",
    "MemoryRecording",
    "line_memory",
    "measure_lines",
]


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """What one line did, with what it called; bytes, over all its executions.

    Attributes
    ----------
    number, hits : int
        Of the line; how often it was executed.
    allocated_bytes, allocations, freed_bytes, frees : int
    peak_bytes : int
        The most in one execution above what there was when the line began: a temporary
        within one expression is in it.
    resident_bytes : int
        What the whole process had in use as the line ended, at the most; 0 when that was
        not read.
    """

    number: int
    hits: int
    allocated_bytes: int
    allocations: int
    freed_bytes: int
    frees: int
    peak_bytes: int
    resident_bytes: int = 0

    @property
    def net_bytes(self) -> int:
        """What it added, less what it freed."""
        return self.allocated_bytes - self.freed_bytes


@dataclass(frozen=True, slots=True)
class FunctionMemory:
    """One function: its text, and what each of its lines did.

    Attributes
    ----------
    name, file : str
    first : int
        Number of the first line of `source`.
    calls : int
        How often it was called.
    source : tuple of str
        Empty when it is not known.
    note : str
        Why it is missing or may be wrong.
    lines : tuple of MemoryLine
        Those that ran.
    """

    name: str
    file: str
    first: int
    calls: int
    source: tuple[str, ...]
    note: str
    lines: tuple[MemoryLine, ...]

    @property
    def last(self) -> int:
        """Number of the last line of `source`, or of the last that ran."""
        return max(
            [self.first + len(self.source) - 1, *(it.number for it in self.lines)]
        )

    @property
    def peak_bytes(self) -> int:
        """The highest of its lines' peaks."""
        return max((line.peak_bytes for line in self.lines), default=0)

    def usage(self, start_rss: int) -> dict[int, int]:
        """Give what was resident as each line ended, bytes by number of the line.

        Where that was not read: `start_rss` and the increments down to the line.
        """
        used = start_rss
        found = {}
        for line in self.lines:
            used += line.net_bytes
            found[line.number] = line.resident_bytes or used
        return found

    def text(self, number: int) -> str:
        """Give a line of the source; empty when it is not known."""
        index = number - self.first
        return self.source[index] if 0 <= index < len(self.source) else ""


@dataclass(frozen=True, slots=True, repr=False)
class LineMemory(Result):
    """What the lines of some functions do to memory.

    Attributes
    ----------
    statement : str
    functions : tuple of FunctionMemory
        Those that ran, the one with the highest peak first.
    start_rss : int
        Resident before the statement, bytes.
    native : bool
        Whether what libraries allocate by themselves is counted.
    problems : tuple of str
        What was named and could not be measured.
    interrupted : bool
        Whether an exception or Ctrl-C ended the code early.
    python, created : str
        Version of the interpreter; when, ISO 8601, UTC.
    """

    kind: ClassVar[str] = "memit.lines"

    statement: str
    functions: tuple[FunctionMemory, ...]
    start_rss: int
    native: bool
    problems: tuple[str, ...]
    interrupted: bool
    python: str
    created: str

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line that ran."""
        return [
            {
                "function": function.name,
                "file": function.file,
                "line": line.number,
                "hits": line.hits,
                "net_bytes": line.net_bytes,
                "allocated_bytes": line.allocated_bytes,
                "allocations": line.allocations,
                "freed_bytes": line.freed_bytes,
                "frees": line.frees,
                "peak_bytes": line.peak_bytes,
                "resident_bytes": line.resident_bytes,
                "code": function.text(line.number),
            }
            for function in self.functions
            for line in function.lines
        ]


class MemoryRecording(Recording):
    """Functions with their text, registered with an engine that counts memory."""

    def __init__(self, *, native: bool = False, resident: bool = True) -> None:
        super().__init__(memory=True, native=native, resident=resident)
        self.native = native
        self.start_rss = 0
        # Times are not shown, so what an event takes need not be found out.
        self.engine.costs = (1.0, 1.0, 1.0)

    def start(self) -> None:
        """Put the probes in."""
        self.start_rss = self.start_rss or resident()
        super().start()

    def memory(self) -> tuple[FunctionMemory, ...]:
        """Give the functions that ran."""
        # By identity: codes of equal text are equal, wherever they are from.
        rows: dict[int, dict[int, MemoryLine]] = {}
        calls: Counter[int] = Counter()
        hits = {
            (id(self.root(code)), row[0]): row[1]
            for code, _, lines in self.engine.lines()
            for row in lines
        }
        used = {
            (id(self.root(code)), number): bytes_
            for code, _, lines in self.engine.resident_lines()
            for number, bytes_ in lines
        }
        for code, _, lines in self.engine.memory_lines():
            root = id(self.root(code))
            for number, (bytes_, blocks, freed, frees), _, peak, _, entered in lines:
                calls[root] += entered
                often = hits.get((root, number), 0)
                if often or bytes_ or freed:
                    rows.setdefault(root, {})[number] = MemoryLine(
                        number,
                        often,
                        bytes_,
                        blocks,
                        freed,
                        frees,
                        peak,
                        used.get((root, number), 0),
                    )
        found = []
        for code in self._order():
            if id(code) in rows:
                source = self.source(code)
                found.append(
                    FunctionMemory(
                        name=code.co_qualname,
                        file=code.co_filename,
                        first=source.first if source.lines else code.co_firstlineno,
                        calls=calls[id(code)],
                        source=source.lines,
                        note=source.note,
                        lines=tuple(
                            rows[id(code)][number] for number in sorted(rows[id(code)])
                        ),
                    )
                )
        return tuple(sorted(found, key=lambda function: -function.peak_bytes))


def measure_lines(
    code: Code,
    *,
    functions: Iterable[FunctionType],
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    discover: bool = False,
    native: bool = False,
    resident: bool = True,
    problems: tuple[str, ...] = (),
    on_partial: Callable[[LineMemory], None] | None = None,
) -> LineMemory:
    """Run code once, and measure what each line of some functions does to memory.

    Parameters
    ----------
    code : Code
        It may await.
    functions : iterable of function
    globals, locals : mapping
        The names that the code sees; as for `runner`.
    discover : bool
        Measure every function of the user that it calls.
    native : bool
        Count what libraries allocate by themselves too.
    resident : bool
        See at each line what is resident, which takes half a microsecond.
    on_partial : callable, optional
        Is given what was measured when an exception ends the code.

    Raises
    ------
    BaseException
        Whatever the code raises.
    """
    recording = MemoryRecording(native=native, resident=resident)
    for function in (*functions, *(users_functions() if discover else ())):
        recording.add(function)

    def result(interrupted: bool) -> LineMemory:
        return line_memory(
            recording, code.source, problems=problems, interrupted=interrupted
        )

    run = runner(_Under(recording), code, globals=globals, locals=locals)
    return concluded(run, result, on_partial)


def line_memory(
    recording: MemoryRecording,
    statement: str,
    *,
    problems: tuple[str, ...] = (),
    interrupted: bool = False,
) -> LineMemory:
    """Give what a recording has until now as a result."""
    return LineMemory(
        statement=statement,
        functions=recording.memory(),
        start_rss=recording.start_rss,
        native=recording.native,
        problems=problems,
        interrupted=interrupted,
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class _Under:
    """Runs code while the probes are in."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        self._recording.start()
        try:
            exec(code, globals, locals)
        finally:
            self._recording.stop()
        return None

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        self._recording.start()
        try:
            return func(*args)
        finally:
            self._recording.stop()
