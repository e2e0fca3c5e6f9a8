"""What the commands about a saved heap share: one file, and one line for what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ..errors import NbprobeError
from ..options import OptionError, OptionTable, Parsed

if TYPE_CHECKING:
    from ..graphs.heaps import HeapGraph

__all__ = ["none_of", "run", "whole"]


def whole(text: str) -> int:
    """Read a number of rows."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number from 1")
    return int(text)


def none_of(name: str, graph: HeapGraph) -> str:
    """Say that a heap has no object of a type, and which types have such a name."""
    types = {row[0].rpartition(".")[2]: row[0] for row in graph.core.types() if row[1]}
    last = name.rpartition(".")[2]
    close = [types[it] for it in get_close_matches(last, types, 3)]
    hint = f"; it has {', '.join(map(repr, close))}" if close else ""
    return f"the heap has no object of a type {name!r}{hint}"


def run(
    argv: list[str], table: OptionTable, usage: str, show: Callable[[Parsed], int]
) -> int:
    """Run a command about one saved heap.

    Parameters
    ----------
    argv : list of str
    table : OptionTable
        With an option ``help``.
    usage : str
        What stands before the options in the help.
    show : callable
        Does the work; gives the exit code, or raises OptionError.

    Returns
    -------
    int
        The exit code: 0, 1 (the file) or 2 (usage).
    """
    try:
        options = table.parse_arguments(argv)
        if options.help:
            print(usage + table.help())
            return 0
        if len(options.arguments) != 1:
            raise OptionError(f"give one file, as in {table.command} before.heap")
        return show(options)
    except OptionError as error:
        return table.refuse(error)
    except (NbprobeError, OSError) as error:
        print(f"{table.command}: {error}", file=sys.stderr)
        return 1
