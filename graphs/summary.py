"""Objects by type, and what changed, with pympler.summary's names and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .heaps.graph import heap
from .labels import long_name

__all__ = ["Row", "format_", "get_diff", "print_", "subtract", "summarize"]

# Type, number of objects, bytes.
Row = tuple[str, int, int]


def summarize(objects: Iterable[Any] | None = None) -> list[Row]:
    """Count objects by type.

    Parameters
    ----------
    objects : iterable, optional
        All objects of the interpreter by default, of which then no list is made.

    Returns
    -------
    list of tuple of (str, int, int)
        Type, number of objects, bytes of the objects themselves.
    """
    if objects is None:
        return [row for row in heap(names=False).core.types() if row[1]]
    rows: dict[str, list[int]] = {}
    for it in objects:
        row = rows.setdefault(long_name(type(it)).removeprefix("builtins."), [0, 0])
        row[0] += 1
        try:
            row[1] += sys.getsizeof(it)
        except (AttributeError, TypeError, ReferenceError):
            continue
    return [(name, count, size) for name, (count, size) in rows.items()]


def get_diff(left: Iterable[Row], right: Iterable[Row]) -> list[Row]:
    """Give what the second summary has more than the first, type by type."""
    before = {name: (count, size) for name, count, size in left}
    after = {name: (count, size) for name, count, size in right}
    rows = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, (0, 0)), after.get(name, (0, 0))
        rows.append((name, new[0] - old[0], new[1] - old[1]))
    return rows


def subtract(summary: Iterable[Row], others: Iterable[Row]) -> list[Row]:
    """Take one summary away from another."""
    return get_diff(others, summary)


def format_(
    rows: Iterable[Row],
    limit: int = 15,
    sort: str = "size",
    order: str = "descending",
) -> Iterator[str]:
    """Give the lines of pympler's table.

    Parameters
    ----------
    rows : iterable of rows
    limit : int
    sort : {'size', 'type', '#'}
    order : {'descending', 'ascending'}
    """
    places = {"type": 0, "#": 1, "size": 2}
    if sort not in places:
        raise ValueError(f"invalid sort, should be one of {sorted(places)}")
    if order not in ("ascending", "descending"):
        raise ValueError("invalid order, should be 'ascending' or 'descending'")
    place = places[sort]
    chosen = sorted(
        rows,
        key=lambda row: row[place],
        reverse=order == "descending",
    )[:limit]
    table = [("types", "# objects", "total size")]
    table += [(name, str(count), _pretty(size)) for name, count, size in chosen]
    # Two more than they need, as pympler has them.
    widths = [max(len(row[column]) for row in table) + 2 for column in range(3)]
    for number, row in enumerate(table):
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield " | ".join(cells)
        if number == 0:
            yield " | ".join("=" * width for width in widths)


def _pretty(size: float) -> str:
    if abs(size) <= 1024:
        return f"{size:4.0f}     B"
    unit = "B"
    for larger in ("KB", "MB", "GB", "TB", "EB"):
        size, unit = size / 1024, larger
        if abs(size) <= 1024:
            break
    return f"{size:7.2f} {unit}"


def print_(
    rows: Iterable[Row],
    limit: int = 15,
    sort: str = "size",
    order: str = "descending",
) -> None:
    """Print a summary as pympler's table."""
    for line in format_(rows, limit, sort, order):
        print(line)
