"""How a timing is shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..results import Result
from . import view_comparison, view_scaling, view_statement
from .result import Comparison, Scaling, TimeitResult

__all__ = ["headline", "html", "text"]

_Show = Callable[[Any], str]

_HEADLINES: dict[type[Result], _Show] = {
    TimeitResult: view_statement.stock_line,
    Comparison: view_comparison.headline,
    Scaling: view_scaling.headline,
}
_TEXTS: dict[type[Result], _Show] = {
    TimeitResult: view_statement.text,
    Comparison: view_comparison.text,
    Scaling: view_scaling.text,
}
_HTMLS: dict[type[Result], _Show] = {
    TimeitResult: view_statement.html,
    Comparison: view_comparison.html,
    Scaling: view_scaling.html,
}


def headline(result: Result) -> str:
    """Give a result in one line."""
    return _HEADLINES[type(result)](result)


def text(result: Result) -> str:
    """Give a result as text that is complete without the HTML, without a final newline."""
    return _TEXTS[type(result)](result)


def html(result: Result) -> str:
    """Give a result as HTML that an untrusted notebook shows whole."""
    return _HTMLS[type(result)](result)
