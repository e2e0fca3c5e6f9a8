"""What stays allocated, by line and by type: after a statement, or since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

from ..code import Code
from ..execution import runner
from ..results import Result
from . import snapshots
from .result import Kind
from .snapshots import Snapshot, StatisticDiff

__all__ = ["Growth", "measure_growth", "since_last"]


@dataclass(frozen=True, slots=True)
class LineGrowth:
    """A line, and by how many bytes and blocks its memory grew."""

    file: str
    line: int
    text: str
    bytes: int
    blocks: int


@dataclass(frozen=True, slots=True, repr=False)
class Growth(Result):
    """What is more, or less, than before.

    Attributes
    ----------
    statement : str
        Empty for all that ran since the last look.
    lines : tuple of LineGrowth
        The largest difference first.
    kinds : tuple of Kind
        By type; of what grew or shrank.
    """

    kind: ClassVar[str] = "memit.growth"

    statement: str
    lines: tuple[LineGrowth, ...]
    kinds: tuple[Kind, ...]

    @property
    def bytes(self) -> int:
        """In all."""
        return sum(line.bytes for line in self.lines)

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line."""
        return [
            {"file": it.file, "line": it.line, "bytes": it.bytes, "blocks": it.blocks}
            for it in self.lines
        ]


_last: list[Snapshot] = []


def since_last() -> Growth | None:
    """Compare with the last look; None at the first one."""
    if not snapshots.is_tracing():
        _last.clear()
    now = snapshots.snapshot()
    before = _last[0] if _last else None
    _last[:] = [now]
    return None if before is None else _growth("", before, now)


def measure_growth(
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    native: bool = False,
) -> Growth:
    """Run code once, and say what it leaves allocated."""
    measured = _Run(native)
    runner(measured, code, globals=globals, locals=locals)()
    return _growth(code.source, Snapshot((), (), ()), measured.found)


class _Run:
    def __init__(self, native: bool) -> None:
        self._tracer = snapshots.Tracer(native=native)
        self.found = Snapshot((), (), ())

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        with self._tracer:
            exec(code, globals, locals)
            self.found = self._tracer.snapshot()
        return None

    def runcall(self, func: Any, /, *args: Any) -> object:
        with self._tracer:
            func(*args)
            self.found = self._tracer.snapshot()
        return None


def _growth(statement: str, before: Snapshot, now: Snapshot) -> Growth:
    lines = [
        _line(it, now)
        for it in now.compare_to(before, "lineno")
        if it.size_diff or it.count_diff
    ]
    kinds = [
        Kind(it.type, it.count_diff, it.size_diff)
        for it in now.compare_to(before, "type")
        if it.size_diff or it.count_diff
    ]
    return Growth(statement, tuple(lines[:500]), tuple(kinds[:200]))


def _line(it: StatisticDiff, now: Snapshot) -> LineGrowth:
    frame = it.traceback[-1]
    texts = (
        p.text for p in now.places if (p.file, p.line) == (frame.filename, frame.lineno)
    )
    text = next(texts, "")
    return LineGrowth(frame.filename, frame.lineno, text, it.size_diff, it.count_diff)
