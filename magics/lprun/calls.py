"""Calls instead of lines, for ``nbprobe lprun`` without ``-l``."""

from __future__ import annotations

import os
from typing import Any, Self

from ..prun import Profile
from .wrapping import Wrapping

__all__ = ["ContextualProfile"]


class ContextualProfile(Wrapping, Profile):
    """A recording of calls that decorates functions as `LineProfiler` does.

    Takes what `nbprobe.prun.Profile` takes.

    Attributes
    ----------
    enable_count : int
        How often it was switched on by `enable_by_count`, and not off.

    See Also
    --------
    kernprof.ContextualProfile
    """

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self.enable_count = 0

    def __call__(self, func: Any) -> Any:
        """Wrap a function, method, property or class."""
        return self.wrap_callable(func)

    def enable_by_count(self, subcalls: bool = True, builtins: bool = True) -> None:
        """Switch on, unless it is on already."""
        self.enable_count += 1
        if self.enable_count == 1:
            self.enable(subcalls=subcalls, builtins=builtins)

    def disable_by_count(self) -> None:
        """Switch off, when as often called as `enable_by_count`."""
        if self.enable_count:
            self.enable_count -= 1
            if not self.enable_count:
                self.disable()

    def __enter__(self) -> Self:
        self.enable_by_count()
        return self

    def __exit__(self, *exception: object) -> None:
        self.disable_by_count()

    def dump_stats(self, file: str | os.PathLike[str]) -> None:
        """Write a ``.prof`` file of what was recorded until now; it goes on."""
        self.result().dump_stats(file)
