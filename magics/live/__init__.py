"""What happens while a profile runs: its display, and its child processes.

Nothing is imported here, so that a child process starts fast: `nbprobe.live.children` has
what the magics use for ``--children``, `nbprobe.live.display` what shows how a run stands.
"""

from __future__ import annotations

__all__ = ["LIVE"]

# The name of the thread that shows progress.
LIVE = "nbprobe live"
