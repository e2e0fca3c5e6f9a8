"""A tool's results, each shown by a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..results import Result

__all__ = ["Views"]


class Views:
    """What a tool's ``view`` offers, each result's from the module of its type.

    Parameters
    ----------
    modules : mapping
        From types of results to modules with `headline`, `text` and `html`.
    """

    def __init__(self, modules: Mapping[type[Result], ModuleType]) -> None:
        self._modules = modules

    def headline(self, result: Result) -> str:
        """Give a result in one line."""
        line: str = self._modules[type(result)].headline(result)
        return line

    def text(self, result: Result) -> str:
        """Give a result as text that is complete without the HTML, no newline at its end."""
        lines: str = self._modules[type(result)].text(result)
        return lines

    def html(self, result: Result) -> str:
        """Give a result as HTML that an untrusted notebook shows whole."""
        markup: str = self._modules[type(result)].html(result)
        return markup
