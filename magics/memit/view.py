"""How the results about memory are shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..results import Result
from . import view_change, view_lines, view_measure, view_recording
from .lines import LineMemory
from .recording import Recording
from .result import Change, MemoryResult

__all__ = ["headline", "html", "text"]

_Show = Callable[[Any], str]

_HEADLINES: dict[type[Result], _Show] = {
    Change: view_change.headline,
    LineMemory: view_lines.headline,
    MemoryResult: view_measure.headline,
    Recording: view_recording.headline,
}
_TEXTS: dict[type[Result], _Show] = {
    Change: view_change.text,
    LineMemory: view_lines.text,
    MemoryResult: view_measure.text,
    Recording: view_recording.text,
}
_HTMLS: dict[type[Result], _Show] = {
    Change: view_change.html,
    LineMemory: view_lines.html,
    MemoryResult: view_measure.html,
    Recording: view_recording.html,
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
