"""SVG by hand: the shapes that charts are drawn of, and the picture that they become.

A chart reaches the page as an image with its SVG in the address: an untrusted notebook
keeps that and drops inline SVG. Such an image sees neither the page's colours nor its
fonts, hence the mid-tones, and its meaning is repeated in the alternative text.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .colours import GREY
from .names import clean

__all__ = ["Picture", "line", "picture", "polyline", "rect", "text", "ticks"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG drawing and what it says in words."""

    svg: str
    alt: str
    width: int
    height: int

    @property
    def src(self) -> str:
        """The address of an ``<img>`` that shows it."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"


def picture(shapes: list[str], alt: str, width: int, height: int) -> Picture:
    """Make a picture of shapes; `alt` says what it shows in words."""
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'"
        f" viewBox='0 0 {width} {height}' font-family='system-ui, sans-serif'"
        f" font-size='11' fill='{GREY}'>{''.join(shapes)}</svg>"
    )
    return Picture(svg, clean(alt), width, height)


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    """Draw a rectangle."""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'"
        f" {style}/>"
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Draw a straight line."""
    return f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' fill='none' {style}/>"


def polyline(points: Sequence[tuple[float, float]], style: str) -> str:
    """Draw a line through points."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"<path d='M{path}' fill='none' stroke-linejoin='round' {style}/>"


def text(x: float, y: float, text: str, anchor: str = "middle", style: str = "") -> str:
    """Write a text; it is cleaned and escaped."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' {style}>"
        f"{escape(clean(text))}</text>"
    )


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Choose round numbers between two bounds, `about` so many of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= about)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]
