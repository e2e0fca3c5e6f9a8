"""Notes: the lines below a figure, the same as aligned text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .names import clean, pad, width

__all__ = ["Note", "aligned", "parted"]


@dataclass(frozen=True, slots=True)
class Note:
    """One line below the figure: what about, and what.

    A serious one changes the meaning of the figure, and stands next to it.
    """

    name: str
    text: str
    serious: bool = False


def parted(notes: Sequence[Note]) -> tuple[list[Note], list[Note]]:
    """Part the serious notes from the others."""
    serious = [note for note in notes if note.serious]
    return serious, [note for note in notes if not note.serious]


def aligned(notes: Sequence[Note]) -> list[str]:
    """Give notes as lines of text, without those that have nothing to say."""
    notes = [note for note in notes if note.text]
    columns = max((width(note.name) for note in notes), default=0)
    return [f"{pad(note.name, columns)}  {clean(note.text)}" for note in notes]
