"""Make one profile of those of several processes."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from .result import Function, ProfileResult, Thread

if TYPE_CHECKING:
    from ..live.children import Children, Gathered

__all__ = [
    "merged",
    "together",
    "with_children",
    "without_strangers",
    "without_threads",
]

# The file that a notebook's cell is compiled as: the kernel's process number, which is
# another in every process, and a hash of the cell's text.
_CELL = re.compile(r".*[/\\]ipykernel_\d+[/\\](\d+\.py)$")


def with_children(own: ProfileResult, children: Children | None) -> ProfileResult:
    """Stop following child processes, and add what they measured."""
    if children is None:
        return own
    return merged(without_threads(own, children.own_threads), children.stop())


def merged(own: ProfileResult, gathered: Gathered) -> ProfileResult:
    """Add what the child processes measured, as threads that name their process.

    A function is the same in two processes when file, line and name are; for a cell of a
    notebook the text of the cell stands for its file.
    """
    functions = list(own.functions)
    known = {_identity(function): at for at, function in enumerate(functions)}
    threads = list(own.threads)
    unseen = own.unseen
    displaced = own.displaced
    for process, result in gathered.results:
        if not isinstance(result, ProfileResult):
            continue
        places = []
        for function in result.functions:
            place = known.setdefault(_identity(function), len(functions))
            if place == len(functions):
                functions.append(function)
            places.append(place)
        threads += [_moved(thread, places, process.label) for thread in result.threads]
        unseen += result.unseen
        displaced |= result.displaced
    return dataclasses.replace(
        own,
        functions=tuple(functions),
        threads=tuple(threads),
        unseen=unseen,
        displaced=displaced,
        processes=gathered.processes,
        other_programs=gathered.others,
    )


def together(gathered: Gathered, statement: str, wall_ns: int) -> ProfileResult:
    """Make one profile of those of engines or workers, of which there is one at least."""
    parts = [part for _, part in gathered.results if isinstance(part, ProfileResult)]
    nobody = dataclasses.replace(
        parts[0],
        statement=statement,
        functions=(),
        threads=(),
        wall_ns=wall_ns,
        unseen=0,
        displaced=False,
        interrupted=any(part.interrupted for part in parts),
        left_out=tuple(dict.fromkeys(name for part in parts for name in part.left_out)),
    )
    return merged(nobody, gathered)


def without_threads(result: ProfileResult, idents: frozenset[int]) -> ProfileResult:
    """Leave out threads that are not the user's."""
    threads = tuple(t for t in result.threads if t.ident not in idents)
    return dataclasses.replace(result, threads=threads)


def without_strangers(result: ProfileResult) -> ProfileResult:
    """Leave out functions that no thread calls, as after threads were left out."""
    used = sorted({place for thread in result.threads for place in thread.function})
    places = {place: number for number, place in enumerate(used)}
    return dataclasses.replace(
        result,
        functions=tuple(result.functions[place] for place in used),
        threads=tuple(
            dataclasses.replace(
                thread, function=tuple(places[place] for place in thread.function)
            )
            for thread in result.threads
        ),
    )


def _identity(function: Function) -> tuple[str, int, str, str]:
    cell = _CELL.fullmatch(function.file)
    file = cell[1] if cell else function.file
    return file, function.line, function.name, function.qualname


def _moved(thread: Thread, places: list[int], process: str) -> Thread:
    return dataclasses.replace(
        thread,
        function=tuple(places[function] for function in thread.function),
        process=process,
    )
