"""The colours of all views.

An output does not know whether the page around it is light or dark, and an untrusted
notebook drops every colour that depends on the theme. So each of these stands midway: its
contrast is above 4 both on white and on JupyterLab's dark background. Text has no colour of
its own, which lets it take that of the page; what is secondary is made fainter by opacity.
"""

from __future__ import annotations

__all__ = [
    "AMBER",
    "BLUE",
    "GREEN",
    "GREY",
    "MAGENTA",
    "ORANGE",
    "TEAL",
    "VIOLET",
    "rgba",
]

BLUE = "#267ad9"
ORANGE = "#c0601b"
GREEN = "#288a51"
VIOLET = "#9061d1"
TEAL = "#228787"
MAGENTA = "#c34b9b"
AMBER = "#a17112"
GREY = "#7a7a7a"


def rgba(colour: str, alpha: float) -> str:
    """Give a colour of this module as a tint: see-through, for fills behind text."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:.2f})"
