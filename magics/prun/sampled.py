"""What a profile says of itself when it was not counted but sampled."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["SampledLine", "Sampling", "margin"]

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledLine:
    """A line that samples found running.

    Attributes
    ----------
    file : str
        Full path.
    line : int
        0 for none.
    qualname : str
        The function that it is in.
    samples : int
        That found the line innermost: in its own code, or in a function in C that it
        called.
    text : str
        The line, where its file can be read.
    """

    file: str
    line: int
    qualname: str
    samples: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a sampled profile came about.

    Attributes
    ----------
    hz : float
        How often to look, as asked.
    rounds : int
        How often all threads were looked at.
    samples : int
        Stacks in the profile; each says what one thread ran at one moment.
    torn : int
        Stacks that changed while they were read, and are not in it.
    crowded : int
        Samples that are counted above their place, for the tree was full.
    preempted : int
        Samples of threads that were ready to run, and had no processor: that is another
        program's time, and not in it.
    skipped : int
        Looks that were due when the sampler had no processor.
    slowed : bool
        Whether it looked less often than asked, to keep its own cost down.
    cost_ns : int
        Processor time of the sampler, ns.
    waiting : tuple of str
        Threads that were there before and did nothing but wait; they are left out.
    lines : tuple of SampledLine
        The hottest lines, hottest first.
    """

    hz: float
    rounds: int
    samples: int
    torn: int
    crowded: int
    preempted: int
    skipped: int
    slowed: bool
    cost_ns: int
    waiting: tuple[str, ...]
    lines: tuple[SampledLine, ...]

    def margin(self, share: float) -> float:
        """Give half the 95 % interval of a share of all samples."""
        return margin(share, self.samples)


def margin(share: float, samples: int) -> float:
    """Give half the 95 % interval of a share that was found by sampling.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    samples : int
        How many there were in all.

    Returns
    -------
    float
        In the same unit; that of Agresti and Coull, which is not 0 for a share of 0.

    Notes
    -----
    Looks are taken at random moments, so their number in a function is binomial. Two
    looks within one long call are not independent of how long that call took this time:
    the interval is that of where this run's time went.
    """
    if samples == 0:
        return 1.0
    number = samples + _Z**2
    share = min(max(share, 0.0), 1.0)
    middle = (share * samples + _Z**2 / 2) / number
    return _Z * math.sqrt(middle * (1 - middle) / number)
