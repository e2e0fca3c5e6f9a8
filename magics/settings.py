"""The defaults that ``%config`` and configuration files set.

They are apart from the magics so that they can be set before a magic is imported.
"""

from __future__ import annotations

from typing import Self

from traitlets import Bool, Enum, Float
from traitlets.config import Configurable

__all__ = ["LiveDisplay", "TimeitMagics"]


class _Settings(Configurable):
    @classmethod
    def of(cls, shell: Configurable) -> Self:
        """Give the settings of a shell; new ones where none are registered."""
        for registered in getattr(shell, "configurables", ()):
            if isinstance(registered, cls):
                return registered
        return cls(parent=shell)


class LiveDisplay(_Settings):
    """What is shown while a magic runs; ``%config LiveDisplay.enabled = False``."""

    enabled = Bool(True, help="Whether anything is shown before the result.").tag(
        config=True
    )
    after = Float(2.0, help="Seconds a run takes before it is shown.").tag(config=True)


class TimeitMagics(_Settings):
    """Defaults of ``%timeit``; ``%config TimeitMagics.budget = 1`` sets one."""

    budget = Float(0.3, help="Seconds a measurement may take.").tag(config=True)
    statistic = Enum(
        ["mean", "median", "min", "q1", "max"],
        "mean",
        help="What the headline figure is.",
    ).tag(config=True)
