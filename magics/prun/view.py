"""How profiles are shown: one module for each kind, the same three functions in each."""

from __future__ import annotations

from types import ModuleType

from ..results import Result
from . import view_difference, view_pairs, view_profile
from .difference import ProfileDiff
from .imported import PairProfile
from .result import ProfileResult

__all__ = ["headline", "html", "text"]

_VIEWS: dict[type[Result], ModuleType] = {
    PairProfile: view_pairs,
    ProfileDiff: view_difference,
    ProfileResult: view_profile,
}


def headline(result: Result) -> str:
    """Give a result in one line."""
    line: str = _VIEWS[type(result)].headline(result)
    return line


def text(result: Result) -> str:
    """Give a result as text that is complete without the HTML."""
    lines: str = _VIEWS[type(result)].text(result)
    return lines


def html(result: Result) -> str:
    """Give a result as HTML that an untrusted notebook shows too."""
    markup: str = _VIEWS[type(result)].html(result)
    return markup
