"""How the results about memory are shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

from ..views.dispatch import Views
from . import (
    view_change,
    view_engines,
    view_growth,
    view_lines,
    view_measure,
    view_recording,
    view_snapshot,
)
from .engines import EngineMemory
from .growth import Growth
from .lines import LineMemory
from .recording import Recording
from .result import Change, MemoryResult
from .snapshots import Snapshot

__all__ = ["headline", "html", "text"]

_VIEWS = Views(
    {
        Change: view_change,
        EngineMemory: view_engines,
        Growth: view_growth,
        LineMemory: view_lines,
        Snapshot: view_snapshot,
        MemoryResult: view_measure,
        Recording: view_recording,
    }
)

headline, text, html = _VIEWS.headline, _VIEWS.text, _VIEWS.html
