"""Record calls in a child process of the one that is profiled."""

from __future__ import annotations

from typing import Any

from . import Profile
from .calibration import Costs
from .merging import without_threads
from .result import ProfileResult

__all__ = ["CallRecorder"]


class CallRecorder:
    """A `Profile` with the options of the parent's.

    Parameters
    ----------
    options : dict
        ``builtins``, ``memory``, ``tasks``, and ``costs``: what a call costs as the parent
        measured it, so that no child spends its time on that.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._costs = Costs(*options["costs"])
        self._profile = Profile(
            builtins=bool(options["builtins"]),
            memory=bool(options.get("memory")),
            tasks=bool(options.get("tasks")),
        )

    def start(self) -> None:
        """Begin to record."""
        self._profile.enable()

    def stop(self) -> None:
        """End the recording; the result stays."""
        self._profile.disable()

    def close(self) -> None:
        """Leave nothing switched on: nothing is."""

    def abandon(self) -> None:
        """In a fork: what was recorded is the parent's."""
        self.stop()

    def result(self, ignored_threads: frozenset[int]) -> ProfileResult:
        """Give what was recorded so far, without these threads."""
        return without_threads(self._profile.result(costs=self._costs), ignored_threads)
