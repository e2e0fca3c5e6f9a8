"""How line profiles are shown, as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..results import Result
from . import view_difference, view_lines
from .difference import LineDifference
from .result import LineResult

__all__ = ["headline", "html", "text"]

_Show = Callable[[Any], str]

_HEADLINES: dict[type[Result], _Show] = {
    LineResult: view_lines.headline,
    LineDifference: view_difference.headline,
}
_TEXTS: dict[type[Result], _Show] = {
    LineResult: view_lines.text,
    LineDifference: view_difference.text,
}
_HTMLS: dict[type[Result], _Show] = {
    LineResult: view_lines.html,
    LineDifference: view_difference.html,
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
