"""Icicles: trees whose nodes are as wide as their share, callees below their callers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

from . import units
from .charts import Picture
from .colours import AMBER, BLUE, GREEN, GREY, MAGENTA, ORANGE, TEAL, VIOLET
from .names import clean, one_line, shorten, width
from .network import Area, map_name

__all__ = ["Block", "Icicle", "icicle"]

_WIDTH = 860
_ROW = 19
_DEEPEST = 36
_NARROWEST = 2.0  # px; what is narrower is drawn together
_NARROWEST_AREA = 3.0
_AREAS = 250  # so that an output stays below 200 kB
_TITLE = 250  # letters
_LETTER = 6.7  # px, on the average, of the sans-serif letters at size 11
_COLOURS = (BLUE, GREEN, VIOLET, TEAL, MAGENTA, AMBER)


@dataclass(slots=True)
class Block:
    """A node of the tree.

    Attributes
    ----------
    name : str
        Its label; it is shortened to fit.
    group : str
        Blocks of one group have one colour.
    value : float
        Its width, in any unit: at least the sum of those below it.
    below : list of Block
    title : str
        What the mouse is told over it.
    """

    name: str
    group: str
    value: float
    below: list[Block] = field(default_factory=list)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Icicle:
    """A picture of a tree.

    Attributes
    ----------
    picture : Picture
    areas : tuple of Area
        Of the widest blocks, for an image map, which a trusted notebook shows.
    name : str
        Of that map.
    """

    picture: Picture
    areas: tuple[Area, ...]
    name: str


def icicle(roots: Sequence[Block], *, title: str) -> Icicle | None:
    """Draw a tree.

    Parameters
    ----------
    roots : sequence of Block
        Side by side in the top row, the widest first, as in every row.
    title : str
        What the whole is, for the alternative text.

    Returns
    -------
    Icicle or None
        None when there is nothing with a width.

    Notes
    -----
    Neighbours that are too narrow to be seen apart become one grey block that says how
    many they are, and what is deeper than fits is counted in the last row.
    """
    total = sum(root.value for root in roots)
    if not 0 < total < float("inf"):
        return None
    drawing = _Drawing(_WIDTH / total)
    drawing.row(roots, 0.0, 0)
    height = (drawing.deepest + 1) * _ROW + 2
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}'"
        f" viewBox='0 0 {_WIDTH} {height}' font-family='system-ui, sans-serif'"
        f" font-size='11' fill='#fff'>{''.join(drawing.shapes)}</svg>"
    )
    widest = sorted(roots, key=lambda root: -root.value)[:3]
    parts = ", ".join(f"{b.name} {units.percent(b.value / total)}" for b in widest)
    areas = tuple(heapq.nlargest(_AREAS, drawing.areas, key=lambda a: a.right - a.left))
    return Icicle(
        Picture(svg, clean(f"{title}: {parts}"), _WIDTH, height),
        areas,
        map_name(svg, areas),
    )


class _Drawing:
    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.shapes: list[str] = []
        self.areas: list[Area] = []
        self.deepest = 0

    def row(self, blocks: Sequence[Block], left: float, depth: int) -> None:
        """Draw blocks side by side, and what is below each of them."""
        ahead = [(blocks, left, depth)]
        while ahead:
            blocks, left, depth = ahead.pop()
            self.deepest = max(self.deepest, depth)
            small: list[Block] = []
            for block in sorted(blocks, key=lambda block: -block.value):
                span = block.value * self.scale
                if span < _NARROWEST:
                    small.append(block)
                    continue
                if depth == _DEEPEST and block.below:
                    self._block(f"… deeper: {block.name}", GREY, left, span, depth)
                else:
                    self._block(block.name, _colour(block), left, span, depth)
                    self._area(block.title, left, span, depth)
                    ahead.append((block.below, left, depth + 1))
                left += span
            span = sum(block.value for block in small) * self.scale
            if span >= _NARROWEST:
                name = units.plural(len(small), "small one")
                self._block(name, GREY, left, span, depth)
        self.deepest = min(self.deepest, _DEEPEST)

    def _area(self, title: str, left: float, span: float, depth: int) -> None:
        if title and span >= _NARROWEST_AREA:
            ends = (round(left), round(left + span))
            top = depth * _ROW + 1
            line = one_line(title, _TITLE)
            self.areas.append(Area(ends[0], top, ends[1], top + _ROW, line))

    def _block(
        self, name: str, colour: str, left: float, span: float, depth: int
    ) -> None:
        top = depth * _ROW + 1
        self.shapes.append(
            f"<rect x='{left:.1f}' y='{top}' width='{max(span - 0.8, 0.8):.1f}'"
            f" height='{_ROW - 1}' rx='1.5' fill='{colour}'/>"
        )
        letters = int((span - 8) / _LETTER)
        if letters >= 3:
            text = shorten(clean(name).replace("\n", " "), letters)
            while text and width(text) > letters:
                text = shorten(text, len(text) - 1)
            self.shapes.append(
                f"<text x='{left + 4:.1f}' y='{top + 13}'>{escape(text)}</text>"
            )


def _colour(block: Block) -> str:
    if not block.group:
        return ORANGE
    return _COLOURS[crc32(block.group.encode("utf-8", "replace")) % len(_COLOURS)]
