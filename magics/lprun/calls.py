"""Calls instead of lines, for ``nbprobe lprun`` without ``-l``."""

from __future__ import annotations

from types import CodeType
from typing import Any

from ..prun import Profile
from .wrapping import Wrapping

__all__ = ["CallProfiler"]


class CallProfiler(Wrapping):
    """A recording of calls that decorates functions as `LineProfiler` does.

    Attributes
    ----------
    enable_count : int
        How often it was switched on by `enable_by_count`, and not off.
    """

    def __init__(self) -> None:
        self._profile = Profile()
        self.enable_count = 0

    def __call__(self, func: Any) -> Any:
        """Wrap a function, method, property or class."""
        return self.wrap_callable(func)

    def enable(self) -> None:
        """Switch on."""
        self._profile.enable()

    def disable(self) -> None:
        """Switch off."""
        self._profile.disable()

    def enable_by_count(self) -> None:
        """Switch on, unless it is on already."""
        self.enable_count += 1
        if self.enable_count == 1:
            self.enable()

    def disable_by_count(self) -> None:
        """Switch off, when as often called as `enable_by_count`."""
        if self.enable_count:
            self.enable_count -= 1
            if not self.enable_count:
                self.disable()

    def runctx(self, cmd: CodeType, globals: dict[str, Any], locals: Any) -> None:
        """Run code, switched on."""
        self._profile.runctx(cmd, globals, locals)

    def print_stats(self) -> None:
        """Print pstats' table."""
        self._profile.print_stats()

    def dump_stats(self, path: str) -> None:
        """Write a ``.prof`` file of what was recorded until now."""
        self._profile.result().dump_stats(path)
