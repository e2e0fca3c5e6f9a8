"""How a timing is shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

from ..views.dispatch import Views
from . import view_comparison, view_scaling, view_statement
from .result import Comparison, Scaling, TimeitResult

__all__ = ["headline", "html", "text"]

_VIEWS = Views(
    {
        TimeitResult: view_statement,
        Comparison: view_comparison,
        Scaling: view_scaling,
    }
)

headline, text, html = _VIEWS.headline, _VIEWS.text, _VIEWS.html
