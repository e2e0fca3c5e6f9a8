"""Two profiles side by side: which functions got slower, and which faster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..places import is_cell
from ..results import Result
from .pairs import rows

if TYPE_CHECKING:
    from .result import ProfileResult

__all__ = ["Change", "ProfileDiff", "difference"]


@dataclass(frozen=True, slots=True)
class Change:
    """A function in both profiles.

    Attributes
    ----------
    file : str
        Where it was in the later profile, or in the earlier one when it is gone.
    line : int
    name : str
        With its class or outer function.
    calls : tuple of (int, int)
        Before and after; resumptions of generators count too.
    self_ns, total_ns : tuple of (float, float)
        Own time and time with callees, before and after.
    """

    file: str
    line: int
    name: str
    calls: tuple[int, int]
    self_ns: tuple[float, float]
    total_ns: tuple[float, float]

    @property
    def change_ns(self) -> float:
        """By how much its own time grew."""
        return self.self_ns[1] - self.self_ns[0]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProfileDiff(Result):
    """What changed from one profile to a later one.

    Attributes
    ----------
    statements : tuple of (str, str)
        The code, before and after.
    total_ns : tuple of (float, float)
        All threads together, before and after.
    calls : tuple of (int, int)
    changes : tuple of Change
        Every function of either profile, what grew most first.
    pythons : tuple of (str, str)
        Versions of the interpreters.
    created : tuple of (str, str)

    Notes
    -----
    A function is known by its file and qualified name, a notebook's cell by its name
    alone: its line and its cell may have changed. Functions of one file with one name,
    such as lambdas, are taken together.
    """

    kind: ClassVar[str] = "prun.diff"

    statements: tuple[str, str]
    total_ns: tuple[float, float]
    calls: tuple[int, int]
    changes: tuple[Change, ...]
    pythons: tuple[str, str]
    created: tuple[str, str]

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each function."""
        return [
            {
                "function": change.name,
                "file": change.file,
                "line": change.line,
                "calls_before": change.calls[0],
                "calls_after": change.calls[1],
                "self_before_ns": change.self_ns[0],
                "self_after_ns": change.self_ns[1],
                "total_before_ns": change.total_ns[0],
                "total_after_ns": change.total_ns[1],
            }
            for change in self.changes
        ]


_Key = tuple[str, str]


@dataclass(slots=True)
class _Sides:
    """A function's figures before and after."""

    file: str = ""
    line: int = 0
    calls: list[int] = field(default_factory=lambda: [0, 0])
    own: list[float] = field(default_factory=lambda: [0.0, 0.0])
    total: list[float] = field(default_factory=lambda: [0.0, 0.0])


def difference(before: ProfileResult, after: ProfileResult) -> ProfileDiff:
    """Compare two profiles, as far as they are shown, by function."""
    found: dict[_Key, _Sides] = {}
    totals, calls = [], []
    for side, result in enumerate((before.selected(), after.selected())):
        totals.append(result.total_ns)
        calls.append(result.calls)
        names = {function.label: function.qualname for function in result.functions}
        for label, row in rows(result).items():
            file, line, _ = label
            place = "a cell" if is_cell(file) else file
            there = found.setdefault((place, names[label]), _Sides())
            there.file, there.line = file, line
            there.calls[side] += row.calls
            there.own[side] += row.self_ns
            there.total[side] += row.total_ns
    changes = [
        Change(
            file=there.file,
            line=there.line,
            name=name,
            calls=(there.calls[0], there.calls[1]),
            self_ns=(there.own[0], there.own[1]),
            total_ns=(there.total[0], there.total[1]),
        )
        for (_, name), there in found.items()
    ]
    changes.sort(key=lambda change: (-change.change_ns, change.file, change.line))
    return ProfileDiff(
        statements=(before.statement, after.statement),
        total_ns=(totals[0], totals[1]),
        calls=(calls[0], calls[1]),
        changes=tuple(changes),
        pythons=(before.python, after.python),
        created=(before.created, after.created),
    )
