"""Make one line profile of those of several processes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..source import source_at
from .result import Function, LineResult, summed, with_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..live.children import Children, Gathered

__all__ = ["joined", "merged", "together", "with_children"]


def with_children(own: LineResult, children: Children | None) -> LineResult:
    """Stop following child processes, and add what they measured."""
    return own if children is None else merged(own, children.stop())


def merged(own: LineResult, gathered: Gathered) -> LineResult:
    """Add what the child processes measured, as threads that name their process."""
    parts = [
        (process.label, result)
        for process, result in gathered.results
        if isinstance(result, LineResult)
    ]
    return replace(
        joined(own, parts),
        processes=gathered.processes,
        other_programs=gathered.others,
    )


def together(gathered: Gathered, statement: str, wall_ns: int) -> LineResult:
    """Make one profile of those of engines, of which there is one at least.

    A function that this side has defined and sent has its text here.
    """
    parts = [part for _, part in gathered.results if isinstance(part, LineResult)]
    nobody = replace(
        parts[0],
        statement=statement,
        functions=(),
        threads=(),
        process_of=(),
        wall_ns=wall_ns,
        dropped=0,
        problems=(),
        ended_by=next((part.ended_by for part in parts if part.ended_by), ""),
    )
    result = merged(nobody, gathered)
    return replace(result, functions=tuple(map(_with_text, result.functions)))


def _with_text(function: Function) -> Function:
    if function.source:
        return function
    source = source_at(function.file, function.first, function.name)
    if not source.lines or source.first != function.first:
        return function
    return replace(function, source=source.lines, note=source.note)


def joined(own: LineResult, parts: Iterable[tuple[str, LineResult]]) -> LineResult:
    """Add profiles of other processes, each with the label of its process.

    A function is the same in two processes when name, text and first line are: the file
    of a notebook's cell has another name in each. Of several that are alike, the one of
    the same file is meant.
    """
    parts = list(parts)
    names = list(own.threads)
    process_of = [""] * len(names)
    renamed = []
    for label, result in parts:
        theirs = tuple(f"{name} of {label}" for name in result.threads)
        names += theirs
        process_of += [label] * len(theirs)
        renamed.append((theirs, result))
    functions = _Functions(tuple(names))
    for function in own.functions:
        functions.append(function, own.threads)
    for theirs, result in renamed:
        for function in result.functions:
            functions.add(function, theirs)
    problems = [*own.problems, *(each for _, part in parts for each in part.problems)]
    return replace(
        own,
        functions=functions.all(),
        threads=tuple(names),
        process_of=tuple(process_of),
        dropped=own.dropped + sum(result.dropped for _, result in parts),
        problems=tuple(dict.fromkeys(problems)),
    )


class _Functions:
    """Functions of several processes, each once.

    Parameters
    ----------
    threads : tuple of str
        All threads of all processes.
    """

    def __init__(self, threads: tuple[str, ...]) -> None:
        self._threads = threads
        self._found: list[Function] = []
        self._places: dict[tuple[Any, ...], list[int]] = {}

    def append(self, function: Function, threads: tuple[str, ...]) -> None:
        """Add a function that is none of those before it; see `add`."""
        self._places_of(function).append(len(self._found))
        self._found.append(with_threads(function, threads, self._threads))

    def add(self, function: Function, threads: tuple[str, ...]) -> None:
        """Add what a function did in `threads`, which are all of its process."""
        places = self._places_of(function)
        same = [at for at in places if self._found[at].file == function.file]
        if not same and len(places) != 1:
            self.append(function, threads)
            return
        at = (same or places)[0]
        function = with_threads(function, threads, self._threads)
        self._found[at] = summed(self._found[at], function)

    def _places_of(self, function: Function) -> list[int]:
        content = function.source or (function.file,)
        return self._places.setdefault((function.name, function.first, *content), [])

    def all(self) -> tuple[Function, ...]:
        return tuple(self._found)
