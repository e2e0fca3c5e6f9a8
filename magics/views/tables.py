"""Tables: the same rows as aligned text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .charts import Picture
from .names import pad, width

__all__ = ["ROWS", "Column", "Hint", "Table"]

# A view shows this many rows; the rest is in the result and its data frame.
ROWS = 50


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, on which side its cells align, and whether they are code."""

    title: str
    align: Literal["left", "right"] = "left"
    code: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """A cell that says more when the mouse is on it."""

    text: str
    title: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; a picture is shown in HTML only.

    Attributes
    ----------
    columns : tuple of Column
    rows : tuple of tuple of (str or Hint or Picture)
        One cell a column. Cells are shown as they are: the caller has cleaned names.
    more : int
        How many rows were left out.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Hint | Picture, ...], ...]
    more: int = 0

    @classmethod
    def capped(
        cls,
        columns: Sequence[Column],
        rows: Sequence[tuple[str | Hint | Picture, ...]],
        total: int,
    ) -> Table:
        """Make a table of the first of `total` rows, `rows` holding at least those shown."""
        return cls(tuple(columns), tuple(rows[:ROWS]), max(0, total - ROWS))

    @property
    def remainder(self) -> str:
        """What was left out, in words; empty when nothing was."""
        return f"and {self.more:,} more" if self.more else ""

    def text(self) -> str:
        """Give the table as lines of text, aligned where letters have a fixed width."""
        shown = [
            index
            for index in range(len(self.columns))
            if not any(isinstance(row[index], Picture) for row in self.rows)
        ]
        titles = [self.columns[index].title for index in shown]
        body = [[str(row[index]) for index in shown] for row in self.rows]
        widths = [
            max(width(row[place]) for row in [titles, *body])
            for place in range(len(shown))
        ]
        lines = [
            "  ".join(
                pad(cell, columns, self.columns[index].align)
                for cell, columns, index in zip(row, widths, shown, strict=True)
            ).rstrip()
            for row in [titles, *body]
        ]
        if self.remainder:
            lines.append(self.remainder)
        return "\n".join(lines)
