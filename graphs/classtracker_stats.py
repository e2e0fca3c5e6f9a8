"""Reports of a `ClassTracker`, with pympler.classtracker_stats's names."""

from __future__ import annotations

from .classtracker import Stats

__all__ = ["ConsoleStats", "HtmlStats", "Stats"]


class ConsoleStats(Stats):
    """The report as text, of a tracker or of a file that ``dump_stats`` wrote."""


class HtmlStats(Stats):
    """The report as an HTML page, of a tracker or of a file."""
