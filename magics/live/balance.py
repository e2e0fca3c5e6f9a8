"""How evenly something is spread over the processes that did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

__all__ = ["Balance"]


@dataclass(frozen=True, slots=True)
class Balance:
    """The least, the middle and the most of one figure per engine or worker.

    Attributes
    ----------
    minimum, median, mean, maximum : float
        Of the figures, in their unit.
    most : str
        The label of the process that has the most.
    """

    minimum: float
    median: float
    mean: float
    maximum: float
    most: str

    @classmethod
    def of(cls, figures: Mapping[str, float]) -> Balance:
        """Compare figures by the labels of their processes; there must be one at least."""
        values = figures.values()
        most = max(figures, key=lambda label: figures[label])
        return cls(min(values), median(values), fmean(values), max(values), most)

    @property
    def waited_for(self) -> float:
        """How much more the one with the most has than the mean: what others wait."""
        return self.maximum - self.mean

    @property
    def imbalance(self) -> float:
        """The same in parts of the mean: 0 is even, 1 twice the mean."""
        return self.maximum / self.mean - 1 if self.mean > 0 else 0.0
