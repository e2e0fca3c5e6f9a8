"""The part of a long function that is worth showing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .result import Function

__all__ = ["Gap", "chosen_lines", "numbers", "passages"]

# Lines shown before and after one that matters.
_AROUND = 2

Gap = tuple[int, int]


def numbers(function: Function, limit: int) -> list[int]:
    """Choose the lines of a function to show, at most about `limit`.

    All of them if they are few; else the first one and those that took longest, with
    their neighbours.
    """
    first, last = _extent(function)
    by_time = sorted(function.lines, key=lambda line: (-line.self_ns, line.number))
    return chosen_lines(first, last, (line.number for line in by_time), limit)


def chosen_lines(
    first: int, last: int, heaviest: Iterable[int], limit: int
) -> list[int]:
    """Choose from the lines of a text, at most about `limit`.

    Parameters
    ----------
    first, last : int
        Of the text.
    heaviest : iterable of int
        The lines that matter, those that matter most first.
    limit : int
    """
    if last - first < limit:
        return list(range(first, last + 1))
    chosen = {first}
    for number in heaviest:
        around = range(max(first, number - _AROUND), min(last, number + _AROUND) + 1)
        if len(chosen | set(around)) > limit:
            break
        chosen |= set(around)
    return sorted(chosen)


def passages(function: Function, limit: int) -> Iterator[int | Gap]:
    """Give the chosen lines, and first and last line of each gap between them."""
    first, last = _extent(function)
    expected = first
    for number in [*numbers(function, limit), last + 1]:
        if number > expected:
            yield expected, number - 1
        if number <= last:
            yield number
        expected = number + 1


def _extent(function: Function) -> tuple[int, int]:
    """First and last line of the text, or of what ran where there is none."""
    ran = [line.number for line in function.lines]
    first = min([function.first, *ran])
    return first, max([function.first + len(function.source) - 1, first, *ran])
