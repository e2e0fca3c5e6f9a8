"""Profiles that others made: what a ``.prof`` file knows, which is pairs and not trees."""

from __future__ import annotations

import os
import pstats
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import ResultFileError
from ..results import Result
from .pairs import Label, LabelRow, Pair, as_stats
from .result import Function

if TYPE_CHECKING:
    import cProfile

__all__ = ["PairProfile", "Sum", "from_stats", "load_stats"]


@dataclass(frozen=True, slots=True)
class Sum:
    """Calls of a function, by anybody or by one caller.

    Attributes
    ----------
    caller : int
        Place of the caller among the functions; -1 for all callers together.
    function : int
        Place of the function.
    primitive, calls : int
        Calls that are not part of a recursion, and all.
    self_ns, total_ns : float
        Own time, and time with callees.
    """

    caller: int
    function: int
    primitive: int
    calls: int
    self_ns: float
    total_ns: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PairProfile(Result):
    """A profile of cProfile's kind: functions, and who called whom.

    Attributes
    ----------
    source : str
        Where it is from.
    functions : tuple of Function
    sums : tuple of Sum
        Of each function, and of each pair of caller and function.

    Notes
    -----
    How long a function took is known for each caller, not for each path: from two callers
    of a function nothing follows about whose time its callees are. So there is no icicle.
    """

    kind: ClassVar[str] = "prun.pairs"

    source: str
    functions: tuple[Function, ...]
    sums: tuple[Sum, ...]

    def __post_init__(self) -> None:
        """Refuse sums of functions that are not there."""
        count = len(self.functions)
        for each in self.sums:
            if not (-1 <= each.caller < count and 0 <= each.function < count):
                raise ValueError("every sum must name functions that are there")

    def rows(self) -> dict[Label, LabelRow]:
        """Give the functions with their callers."""
        found: dict[Label, LabelRow] = {}
        for each in self.sums:
            row = found.setdefault(self.functions[each.function].label, LabelRow())
            pair: Pair = row
            if each.caller >= 0:
                pair = row.callers.setdefault(self.functions[each.caller].label, Pair())
            pair.primitive += each.primitive
            pair.calls += each.calls
            pair.self_ns += each.self_ns
            pair.total_ns += each.total_ns
        return found

    @property
    def calls(self) -> int:
        """Calls in all."""
        return sum(each.calls for each in self.sums if each.caller < 0)

    @property
    def total_ns(self) -> float:
        """Own time of all functions."""
        return sum(each.self_ns for each in self.sums if each.caller < 0)

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each function and for each pair; `caller` is empty for all."""
        return [
            {
                "caller": self.functions[each.caller].name if each.caller >= 0 else "",
                "function": self.functions[each.function].name,
                "file": self.functions[each.function].file,
                "line": self.functions[each.function].line,
                "primitive": each.primitive,
                "calls": each.calls,
                "self_ns": each.self_ns,
                "total_ns": each.total_ns,
            }
            for each in self.sums
        ]

    def stats(self) -> pstats.Stats:
        """Give the profile as `pstats.Stats`."""
        return as_stats(self.rows())

    def dump_stats(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.prof`` file."""
        self.stats().dump_stats(os.fspath(path))


def from_stats(stats: pstats.Stats | cProfile.Profile, source: str = "") -> PairProfile:
    """Take over a profile of cProfile or pstats.

    Parameters
    ----------
    stats : pstats.Stats or cProfile.Profile
        A running `cProfile.Profile` is stopped, as pstats does.
    source : str
        Where it is from, for display.

    Returns
    -------
    PairProfile
        With the counts and times of `stats`, and their loss: see its notes.
    """
    if not isinstance(stats, pstats.Stats):
        stats = pstats.Stats(stats)
    table = stats.stats  # type: ignore[attr-defined]
    labels = dict.fromkeys(table)
    for row in table.values():
        labels |= dict.fromkeys(row[4])
    places = {label: place for place, label in enumerate(labels)}
    sums = []
    for label, (primitive, calls, own, total, callers) in table.items():
        place = places[label]
        sums.append(Sum(-1, place, primitive, calls, own * 1e9, total * 1e9))
        for caller, pair in callers.items():
            if not isinstance(pair, tuple):
                # As the pure Python profiler writes it: the number of calls only.
                pair = (pair, pair, 0.0, 0.0)
            # Of a pair, pstats gives all calls first.
            pair_calls, pair_primitive, pair_own, pair_total = pair
            sums.append(
                Sum(
                    places[caller],
                    place,
                    pair_primitive,
                    pair_calls,
                    pair_own * 1e9,
                    pair_total * 1e9,
                )
            )
    functions = (Function(file, line, name, name) for file, line, name in labels)
    return PairProfile(source=source, functions=tuple(functions), sums=tuple(sums))


def load_stats(path: str | os.PathLike[str]) -> PairProfile:
    """Read a ``.prof`` file, as cProfile, pstats and ``%prun -D`` write it.

    Raises
    ------
    ResultFileError
        It is none; the message is one line.
    OSError
        It cannot be read.

    Notes
    -----
    The file is read by `marshal`, which is not made for files from strangers.
    """
    name = os.fspath(path)
    with open(name, "rb"):
        pass
    try:
        stats = pstats.Stats(name)
        return from_stats(stats, name)
    except (EOFError, ValueError, TypeError, AttributeError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ResultFileError(f"{name!a}: no profile of pstats ({reason})") from None
