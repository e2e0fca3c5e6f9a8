"""What a run that is not over yet can say of itself: plain data, gathered from C threads."""

from __future__ import annotations

import linecache
import os
from collections import Counter
from dataclasses import dataclass
from time import monotonic_ns

from .._core import ResidentSampler, Sampler
from ..places import place_of

__all__ = ["NOTHING", "Gap", "Place", "Progress", "Watch"]

# Looks a second: enough for a display, too few to be felt.
_HZ = 25.0
_RESIDENT_S = 0.05
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_HOTTEST = 3
_GAPS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A line that ran: its function and text, and its share of the samples so far."""

    function: str
    where: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the interpreter was not to be had: one call in C kept it."""

    seconds: float
    place: Place


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands.

    Attributes
    ----------
    elapsed_s : float
        Since it began.
    resident : tuple of int
        Resident memory from the beginning to now, bytes.
    peak : int
        The most of it.
    now : Place, optional
        The line that runs.
    hottest : tuple of Place
        Lines by their share of the samples so far.
    gaps : tuple of Gap
        The longest, longest first.
    """

    elapsed_s: float
    resident: tuple[int, ...]
    peak: int
    now: Place | None
    hottest: tuple[Place, ...]
    gaps: tuple[Gap, ...]


NOTHING = Progress(0.0, (), 0, None, (), ())


class Watch:
    """Watches one thread of this process, until it is closed.

    Parameters
    ----------
    ident : int
        The thread, as `threading.get_ident` gives it.
    """

    def __init__(self, ident: int) -> None:
        self._ident = ident
        self._begin_ns = monotonic_ns()
        self._counts: Counter[tuple[int, int]] = Counter()
        self._seen = 0  # samples of the latest span that were counted
        self._span = 0  # its number
        self._now: tuple[int, int] | None = None
        self._names: dict[int, tuple[str, int, str, str]] = {}
        self._gaps: list[Gap] = []
        self._sampler: Sampler | None = Sampler(_HZ)
        try:
            self._sampler.start(everything=True)
        except RuntimeError:
            self._sampler = None  # the rest is shown without it
        self._resident = ResidentSampler(_RESIDENT_S, 256)
        self._resident.start()

    def close(self) -> None:
        """End the threads in C; again does nothing."""
        if self._sampler is not None:
            self._sampler.stop()
        self._resident.stop()

    def progress(self) -> Progress:
        """Say how it stands now."""
        self._spans()
        total = sum(self._counts.values())
        hottest = [
            self._place(key, count / total)
            for key, count in self._counts.most_common(_HOTTEST)
        ]
        resident = tuple(size for _, size in self._resident.samples())
        return Progress(
            elapsed_s=(monotonic_ns() - self._begin_ns) / 1e9,
            resident=resident,
            peak=max((self._resident.peak_bytes, *resident), default=0),
            now=self._place(self._now, 0.0) if self._now else None,
            hottest=tuple(hottest),
            gaps=tuple(self._gaps),
        )

    def missed(self, seconds: float) -> None:
        """Take down that the interpreter was not to be had in the last seconds.

        The line is the one that most samples of that time found.
        """
        if self._sampler is None:
            return
        since = monotonic_ns() - round(seconds * 1e9)
        lengths: Counter[tuple[int, int]] = Counter()
        for ident, function, line, _, first_ns, last_ns, _ in self._sampler.spans():
            if ident == self._ident and last_ns > since:
                lengths[function, line] += last_ns - max(first_ns, since)
        if lengths:
            ((key, _),) = lengths.most_common(1)
            self._gaps.append(Gap(seconds, self._place(key, 0.0)))
            self._gaps.sort(key=lambda gap: -gap.seconds)
            del self._gaps[_GAPS:]

    def _spans(self) -> None:
        if self._sampler is None:
            return
        for span in self._sampler.spans(max(self._span - 1, 0)):
            ident, function, line, samples, _, _, number = span
            if ident != self._ident or number < self._span:
                continue
            before = self._seen if number == self._span else 0
            self._span, self._seen = number, samples
            if self._function(function)[0].startswith(_OURS):
                continue
            self._now = function, line
            self._counts[self._now] += samples - before

    def _function(self, number: int) -> tuple[str, int, str, str]:
        if number not in self._names:
            assert self._sampler is not None
            self._names[number] = self._sampler.function(number)
        return self._names[number]

    def _place(self, key: tuple[int, int], share: float) -> Place:
        file, _, _, name = self._function(key[0])
        return Place(
            function=name,
            where=place_of(file, key[1]),
            text=linecache.getline(file, key[1]).strip(),
            share=share,
        )
