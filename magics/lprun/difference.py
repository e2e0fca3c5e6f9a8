"""Two line profiles compared: what became faster or slower, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..results import Result
from .result import Function, Line, LineResult

__all__ = ["FunctionDifference", "LineChange", "LineDifference", "compare"]


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line of either version of a function.

    Attributes
    ----------
    text : str
    before, after : Line or None
        What was measured there; None where it did not run, or was not there.
    number_before, number_after : int
        Its number; 0 where it was not there.
    """

    text: str
    before: Line | None
    after: Line | None
    number_before: int
    number_after: int

    @property
    def change_ns(self) -> float:
        """How much longer it takes now."""
        return _total(self.after) - _total(self.before)


def _total(line: Line | None) -> float:
    return line.total_ns if line is not None else 0.0


@dataclass(frozen=True, slots=True)
class FunctionDifference:
    """A function in both profiles, or in one of them.

    Attributes
    ----------
    name, file : str
    before_ns, after_ns : float or None
        Time of its lines; None where it was not profiled, or not called.
    lines : tuple of LineChange
        Of both versions, in the order of the text.
    """

    name: str
    file: str
    before_ns: float | None
    after_ns: float | None
    lines: tuple[LineChange, ...]

    @property
    def change_ns(self) -> float:
        """How much longer it takes now."""
        return (self.after_ns or 0.0) - (self.before_ns or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LineDifference(Result):
    """What changed from one line profile to a later one.

    Attributes
    ----------
    before, after : str
        The statements.
    functions : tuple of FunctionDifference
        The largest change first.
    before_ns, after_ns : float
        Time of all lines.
    """

    kind: ClassVar[str] = "lprun.difference"

    before: str
    after: str
    functions: tuple[FunctionDifference, ...]
    before_ns: float
    after_ns: float

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line that ran in either run."""
        return [
            {
                "function": function.name,
                "file": function.file,
                "line_before": line.number_before,
                "line_after": line.number_after,
                "hits_before": line.before.hits if line.before else 0,
                "hits_after": line.after.hits if line.after else 0,
                "before_ns": _total(line.before),
                "after_ns": _total(line.after),
                "change_ns": line.change_ns,
                "source": line.text,
            }
            for function in self.functions
            for line in function.lines
            if line.before or line.after
        ]


def compare(before: LineResult, after: LineResult) -> LineDifference:
    """Pair the functions by name and the lines by text."""
    differences = [_difference(*pair) for pair in _pairs(before, after)]
    differences.sort(key=lambda each: -abs(each.change_ns))
    return LineDifference(
        before=before.statement,
        after=after.statement,
        functions=tuple(differences),
        before_ns=before.self_ns,
        after_ns=after.self_ns,
    )


def _pairs(
    before: LineResult, after: LineResult
) -> Iterator[tuple[Function | None, Function | None]]:
    """Pair functions of one name; first those of one file, as a cell is a new one each."""
    left = list(before.functions)
    later = list(after.functions)
    for key in (_name_and_file, _name):
        for function in list(later):
            match = next((each for each in left if key(each) == key(function)), None)
            if match is not None:
                left.remove(match)
                later.remove(function)
                yield match, function
    for function in left:
        yield function, None
    for function in later:
        yield None, function


def _name_and_file(function: Function) -> tuple[str, str]:
    return function.name, function.file


def _name(function: Function) -> tuple[str, str]:
    return function.name, ""


def _difference(before: Function | None, after: Function | None) -> FunctionDifference:
    shown = after or before
    assert shown is not None
    return FunctionDifference(
        name=shown.name,
        file=shown.file,
        before_ns=before.total_ns if before and before.hits else None,
        after_ns=after.total_ns if after and after.hits else None,
        lines=tuple(_changes(before, after)),
    )


def _changes(before: Function | None, after: Function | None) -> Iterator[LineChange]:
    old, new = _texts(before), _texts(after)
    matcher = difflib.SequenceMatcher(
        None,
        [text.strip() for _, text, _ in old],
        [text.strip() for _, text, _ in new],
        autojunk=False,
    )
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(old[start:end], new[new_start:new_end], strict=True):
                yield LineChange(other[1], one[2], other[2], one[0], other[0])
            continue
        for number, text, line in old[start:end]:
            yield LineChange(text, line, None, number, 0)
        for number, text, line in new[new_start:new_end]:
            yield LineChange(text, None, line, 0, number)


def _texts(function: Function | None) -> list[tuple[int, str, Line | None]]:
    """Give number, text and figures of every line."""
    if function is None:
        return []
    lines = {line.number: line for line in function.lines}
    last = max((function.first + len(function.source) - 1, *lines), default=0)
    numbers = range(min((function.first, *lines)), last + 1)
    return [(number, function.text(number), lines.get(number)) for number in numbers]
