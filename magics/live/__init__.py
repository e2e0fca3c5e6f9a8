"""What happens while a profile runs: its display, and its child processes.

Nothing is imported here, so that a child process starts fast: `nbprobe.live.children` has
what the magics use for ``--children``, `nbprobe.live.remote` the same for processes on other
machines, `nbprobe.live.display` what shows how a run stands, and `nbprobe.live.engines` and
`nbprobe.live.workers` what profiles on a cluster.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["LIVE", "Collector", "attach", "profile", "profile_workers"]

# The name of the thread that shows progress.
LIVE = "nbprobe live"

_PUBLIC = {
    "Collector": "remote",
    "attach": "child",
    "profile": "engines",
    "profile_workers": "workers",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
