"""What there is to say while others run the code: who has answered, and who has not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

__all__ = ["Roll", "Waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a run on engines stands.

    Attributes
    ----------
    elapsed_s : float
        Since it began.
    awaited : tuple of str
        Those that are at it.
    answered : tuple of (str, float)
        Those that are not any more, the latest first, and how long they took, s.
    """

    elapsed_s: float
    awaited: tuple[str, ...]
    answered: tuple[tuple[str, float], ...]


class Roll:
    """Takes down who answers, and when. One thread writes, another reads."""

    def __init__(self) -> None:
        self._begin = monotonic()
        self._names: tuple[str, ...] = ()
        self._answered: dict[str, float] = {}

    def begin(self, names: Iterable[str]) -> None:
        """Wait for these, from now on."""
        self._begin = monotonic()
        self._names = tuple(names)

    def answered(self, names: Iterable[str]) -> None:
        """Take down that these have answered; each counts once."""
        now = monotonic() - self._begin
        for name in names:
            self._answered.setdefault(name, now)

    def progress(self) -> Waiting:
        """Say how it stands now."""
        answered = self._answered.copy()
        return Waiting(
            elapsed_s=monotonic() - self._begin,
            awaited=tuple(name for name in self._names if name not in answered),
            answered=tuple(reversed(answered.items())),
        )

    def missed(self, seconds: float) -> None:
        """Nothing runs here that could keep the interpreter."""

    def close(self) -> None:
        """Nothing is to be ended."""
