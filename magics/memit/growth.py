"""What stays allocated, by line and by type: after a statement, or since the last look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

from ..code import Code
from ..execution import concluded, runner
from ..results import Result
from . import snapshots
from .result import Kind
from .snapshots import Snapshot

__all__ = ["Growth", "measure_growth", "since_last"]


_NOBODYS = "(no code of yours: the kernel, libraries by themselves)"


@dataclass(frozen=True, slots=True)
class LineGrowth:
    """A line, and by how many bytes and blocks its memory grew.

    It is the innermost one of the user's own code; where there is none, `file` is empty.
    """

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
    interrupted : bool
        Whether an exception or Ctrl-C ended the code early.
    """

    kind: ClassVar[str] = "memit.growth"

    statement: str
    lines: tuple[LineGrowth, ...]
    kinds: tuple[Kind, ...]
    interrupted: bool = False

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
    on_partial: Callable[[Growth], None] | None = None,
) -> Growth:
    """Run code once, and say what it leaves allocated.

    Parameters
    ----------
    on_partial : callable, optional
        Is given what was left when an exception ends the code.

    Raises
    ------
    BaseException
        Whatever the code raises.
    """
    measured = _Run(native)
    before = Snapshot((), (), ())
    return concluded(
        runner(measured, code, globals=globals, locals=locals),
        lambda interrupted: _growth(
            code.source, before, measured.found, interrupted=interrupted
        ),
        on_partial,
    )


class _Run:
    def __init__(self, native: bool) -> None:
        self._tracer = snapshots.Tracer(native=native)
        self.found = Snapshot((), (), ())

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        with self._tracer:
            try:
                exec(code, globals, locals)
            finally:
                self.found = self._tracer.snapshot()
        return None

    def runcall(self, func: Any, /, *args: Any) -> object:
        with self._tracer:
            try:
                func(*args)
            finally:
                self.found = self._tracer.snapshot()
        return None


def _growth(
    statement: str, before: Snapshot, now: Snapshot, *, interrupted: bool = False
) -> Growth:
    kinds = [
        Kind(it.type, it.count_diff, it.size_diff)
        for it in now.compare_to(before, "type")
        if it.size_diff or it.count_diff
    ]
    lines = _lines(before, now)[:500]
    return Growth(statement, tuple(lines), tuple(kinds[:200]), interrupted)


def _lines(before: Snapshot, now: Snapshot) -> list[LineGrowth]:
    """Give the differences by line, the largest first."""
    old, new = _by_line(before), _by_line(now)
    found = []
    for key in {**old, **new}:
        (bytes0, blocks0, text0), (bytes1, blocks1, text1) = (
            side.get(key, (0, 0, "")) for side in (old, new)
        )
        if bytes0 != bytes1 or blocks0 != blocks1:
            found.append(
                LineGrowth(*key, text1 or text0, bytes1 - bytes0, blocks1 - blocks0)
            )
    return sorted(found, key=lambda it: (-abs(it.bytes), it.file, it.line))


def _by_line(snapshot: Snapshot) -> dict[tuple[str, int], tuple[int, int, str]]:
    """Add up what is alive by the innermost line of the user's own code."""
    rows: dict[tuple[str, int], tuple[int, int, str]] = {}
    for site in snapshot.sites:
        if not site.alive_blocks:
            continue
        places = (snapshot.places[number] for number in site.places)
        own = next((place for place in places if place.users), None)
        key, text = ("", 0), _NOBODYS
        if own is not None:
            key, text = (own.file, own.line), own.text
        bytes_, blocks, _ = rows.get(key, (0, 0, ""))
        rows[key] = bytes_ + site.alive_bytes, blocks + site.alive_blocks, text
    return rows
