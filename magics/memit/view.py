"""How the results about memory are shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..results import Result
from . import (
    view_change,
    view_growth,
    view_lines,
    view_measure,
    view_recording,
    view_snapshot,
)
from .growth import Growth
from .lines import LineMemory
from .recording import Recording
from .result import Change, MemoryResult
from .snapshots import Snapshot

__all__ = ["headline", "html", "text"]

_Show = Callable[[Any], str]

_HEADLINES: dict[type[Result], _Show] = {
    Change: view_change.headline,
    Growth: view_growth.headline,
    LineMemory: view_lines.headline,
    Snapshot: view_snapshot.headline,
    MemoryResult: view_measure.headline,
    Recording: view_recording.headline,
}
_TEXTS: dict[type[Result], _Show] = {
    Change: view_change.text,
    Growth: view_growth.text,
    LineMemory: view_lines.text,
    Snapshot: view_snapshot.text,
    MemoryResult: view_measure.text,
    Recording: view_recording.text,
}
_HTMLS: dict[type[Result], _Show] = {
    Change: view_change.html,
    Growth: view_growth.html,
    LineMemory: view_lines.html,
    Snapshot: view_snapshot.html,
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
