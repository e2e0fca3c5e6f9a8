"""The figures of a set's table without the set: to be compared, written to a file, read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from ...errors import ResultFileError
from ...views import units
from ...views.names import clean, one_line

__all__ = ["Stat", "StatRow", "read_stats"]

_ROWS = 10
_SET, _DIFFERENCE, _EACH = "SetFormat", "DiffFormat", "IdFormat"


class StatRow:
    """A row: how many objects, their own bytes, what they are."""

    __slots__ = ("count", "name", "size")

    def __init__(self, count: int, size: int, name: str) -> None:
        self.count = count
        self.size = size
        self.name = name


class Stat:
    """The rows of a table; ``a - b`` gives what the first has more than the second.

    Attributes
    ----------
    rows : list of StatRow
    header : str
        What the rows are parted by.
    count, size : int
        Of all rows; of a difference, that of the two sums.
    before : tuple of (int, int) or None
        Count and bytes of what was taken away, of a difference.
    """

    def __init__(
        self,
        rows: Iterable[StatRow],
        header: str,
        before: tuple[int, int] | None = None,
        timemade: float | None = None,
    ) -> None:
        self.rows = list(rows)
        self.header = header
        self.before = before
        self.count = sum(row.count for row in self.rows)
        self.size = sum(row.size for row in self.rows)
        self.timemade = time.time() if timemade is None else timemade

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice) -> Stat:
        rows = self.rows[index]
        chosen = rows if isinstance(rows, list) else [rows]
        return Stat(chosen, self.header, self.before, self.timemade)

    def get_rows(self) -> Iterator[StatRow]:
        """Give the rows one by one."""
        return iter(self.rows)

    def __sub__(self, other: Stat) -> Stat:
        if self.header != other.header:
            raise ValueError(
                f"the tables are parted differently: {self.header!r}, {other.header!r}"
            )
        rows = {row.name: StatRow(row.count, row.size, row.name) for row in self.rows}
        for row in other.rows:
            mine = rows.setdefault(row.name, StatRow(0, 0, row.name))
            mine.count -= row.count
            mine.size -= row.size
        changed = [row for row in rows.values() if row.count or row.size]
        changed.sort(key=lambda row: (-abs(row.size), row.name))
        return Stat(changed, self.header, (other.count, other.size))

    def dump(self, fn: str | os.PathLike[str] | TextIO, mode: str = "a") -> None:
        """Write the figures in guppy's form, by default after what the file has."""
        if hasattr(fn, "write"):
            fn.write(self._written())
            return
        with open(fn, mode, encoding="utf-8") as file:
            file.write(self._written())

    def _written(self) -> str:
        lines = [
            ".loader: _load_stat",
            f".format: {_SET if self.before is None else _DIFFERENCE}",
            f".timemade: {self.timemade:f}",
            f".count: {self.count}",
            f".size: {self.size}",
            ".kindname: ",
            f".kindheader: {self.header}",
            f".numrows: {len(self.rows)}",
        ]
        if self.before is not None:
            lines += [f".b_count: {self.before[0]}", f".b_size: {self.before[1]}"]
        lines += [f".r: {row.count} {row.size} {clean(row.name)}" for row in self.rows]
        return "\n".join([*lines, ".end: .loader: _load_stat", ""])

    def table(self, limit: int | None = _ROWS, start: int = 0) -> str:
        """Give the table as text: some rows, all for None."""
        lines = self._head()
        end = len(self.rows) if limit is None else start + limit
        so_far = 0
        for index, row in enumerate(self.rows[:end]):
            so_far += row.size
            if index >= start:
                name = one_line(clean(row.name), 100)
                lines.append(f"{index:6d} {self._figures(row, so_far)} {name}")
        if len(self.rows) > end:
            lines.append(
                f"<{len(self.rows) - end} more rows. Type e.g. '_.more' to view.>"
            )
        return "\n".join(lines)

    def _head(self) -> list[str]:
        if self.before is None:
            return [
                f"Partition of a set of {self.count} object{'s' * (self.count != 1)}."
                f" Total size = {self.size} bytes.",
                f" Index  Count   %     Size   % Cumulative  % {self.header}",
            ]
        count, size = self.before
        return [
            "Summary of difference operation (A-B).",
            "        Count     Size",
            f"  A    {self.count + count:6d} {self.size + size:8d}",
            f"  B    {count:6d} {size:8d}",
            f"  A-B  {self.count:6d} {self.size:8d}  = {self._part(self.size)} % of B",
            "",
            f" Index  Count     Size  Cumulative  % of B {self.header}",
        ]

    def _figures(self, row: StatRow, so_far: int) -> str:
        if self.before is not None:
            return f"{row.count:6d} {row.size:8d} {so_far:9d} {self._part(so_far)}"
        count, size = self.count or 1, self.size or 1
        return (
            f"{row.count:6d} {row.count * 100 / count:3.0f} {row.size:8d}"
            f" {row.size * 100 / size:3.0f} {so_far:9d} {so_far * 100 / size:3.0f}"
        )

    def _part(self, size: int) -> str:
        whole = self.before[1] if self.before else 0
        return f"{size * 100 / whole:9.3g}" if whole else "   (n.a.)"

    def __str__(self) -> str:
        return units.for_stdout(self.table())

    __repr__ = __str__


def read_stats(lines: Iterable[str], name: str) -> Iterator[Stat]:
    """Read what `Stat.dump` wrote, here or guppy's.

    Raises
    ------
    ResultFileError
        A line is none of such a file; the message says which.
    """
    fields: dict[str, str] = {}
    rows: list[StatRow] = []
    for number, line in enumerate(lines, 1):
        word, _, rest = line.rstrip("\n").partition(":")
        rest = rest.removeprefix(" ")
        try:
            if word == ".r":
                row = rest if fields.get(".format") != _EACH else f"1 {rest}"
                count, size, kind = row.split(" ", 2)
                rows.append(StatRow(int(count), int(size), kind))
            elif word == ".end":
                yield _stat(fields, rows)
                fields, rows = {}, []
            elif word.startswith(".") and word != ".":
                fields[word] = rest
            else:
                raise ValueError("no line of such a file")
        except ValueError as error:
            reason = one_line(str(error), 80)
            raise ResultFileError(
                f"{name!a}: line {number} is damaged: {reason}"
            ) from None
    if fields or rows:
        raise ResultFileError(f"{name!a}: the last table has no end")


def _stat(fields: dict[str, str], rows: list[StatRow]) -> Stat:
    before = None
    if ".b_count" in fields:
        before = int(fields[".b_count"]), int(fields.get(".b_size", "0"))
    made = float(fields.get(".timemade", "0"))
    return Stat(rows, fields.get(".kindheader", ""), before, made)
