"""How line profiles are shown, as text and as HTML."""

from __future__ import annotations

from ..views.dispatch import Views
from . import view_difference, view_lines
from .difference import LineDifference
from .result import LineResult

__all__ = ["headline", "html", "text"]

_VIEWS = Views({LineResult: view_lines, LineDifference: view_difference})

headline, text, html = _VIEWS.headline, _VIEWS.text, _VIEWS.html
