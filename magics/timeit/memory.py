"""What a statement allocates and how long it keeps the collector busy, in passes of their own.

After the timing, in the frame that the timing has warmed up, so that no setup runs again:
the hooks in the allocators cost some nanoseconds, which would be part of the figure.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from .. import _core

if TYPE_CHECKING:
    from .engine import Plan
    from .subject import Frame

__all__ = ["MemoryPass"]

_COUNTING_NS: Final = 300_000
# The youngest generation is collected every 700 to 2,000 objects, the others seldom.
_COLLECTING_NS: Final = 10_000_000


class MemoryPass:
    """The figures of one statement, per execution.

    Attributes
    ----------
    allocations, allocated_bytes : float or None
        Blocks and bytes that Python's allocators gave out, to all threads.
    gc_share : float or None
        Time in the collector over the whole time, with the collector on.
    """

    def __init__(self) -> None:
        self.allocations: float | None = None
        self.allocated_bytes: float | None = None
        self.gc_share: float | None = None

    def plan(self, frame: Frame, per_ns: float, budget_ns: float) -> Plan:
        """What to run (see `nbprobe.timeit.engine`); about 4 % of the usual budget."""
        copies = sum(frame.copies)
        pass_ns = max(1.0, per_ns * copies)
        try:
            blank = yield from _counted(frame, 0)
            iterations = max(1, round(_COUNTING_NS / pass_ns))
            counted = yield from _counted(frame, iterations)
            executions = iterations * copies
            self.allocations = max(0, counted[0] - blank[0]) / executions
            self.allocated_bytes = max(0, counted[1] - blank[1]) / executions
            if pass_ns < budget_ns / 4:
                most_ns = min(_COLLECTING_NS, budget_ns / 20)
                iterations = max(1, round(most_ns / pass_ns))
                yield from self._collecting(frame, iterations)
        finally:
            frame.clear()

    def _collecting(self, frame: Frame, iterations: int) -> Plan:
        """Let the collector run as it does in the user's program."""
        frame.clear()
        was_on = gc.isenabled()
        gc.enable()
        try:
            yield from frame.block(iterations)
        finally:
            if not was_on:
                gc.disable()
        collecting_ns = sum(loop.collecting_ns for loop in frame.loops)
        time_ns = sum(sample[0] for loop in frame.loops for sample in loop.samples())
        if time_ns:
            self.gc_share = collecting_ns / time_ns


def _counted(frame: Frame, iterations: int) -> Generator[Any, None, tuple[int, int]]:
    """Run a block and count what is allocated: blocks and bytes, ours included.

    What the block itself allocates (its own frames and numbers) is the same for any
    number of iterations: none of them is taken as the zero.
    """
    # Exact, so that arrays of NumPy before 2.5 are in it.
    counted = _core.Allocations(_core.ALLOCATIONS_EXACT)
    counted.start()
    try:
        yield from frame.resume(iterations)
    finally:
        counted.stop()
    return counted.allocations, counted.allocated_bytes
