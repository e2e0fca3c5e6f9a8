"""Measure a statement: which loops to run, how often, and what their samples say.

What makes a short timing wrong, and what is done about it:

- The loop costs as much as a short statement. Two loops with different numbers of copies
  of the statement are timed in turns; the difference of their times is the copies' alone.
- A preempted sample holds somebody else's time. Samples are short (0.3 ms), and one
  during which the kernel took the core away is set aside.
- Where code and frame happen to lie in memory moves a statement by several percent, and
  stays for as long as they live. So the loops are put into many fresh code objects and
  frames in the course of one measurement, a *unit* each, and the figure is the mean over
  units: its interval covers what another call would find.
"""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import Any, Final, NoReturn

from .. import _core
from ..code import does_nothing
from .collector import collector_off
from .memory import MemoryPass
from .subject import Frame, MarkedFrame, Subject

CLOCKS: Final = {
    "wall": _core.CLOCK_WALL,
    "real": _core.CLOCK_REAL,
    "cpu": _core.CLOCK_PROCESS_CPU,
    "thread": _core.CLOCK_THREAD_CPU,
}

# A sample is long beside the clock (20 ns) and short beside the scheduler's slice (3 ms).
_SAMPLE_NS: Final = 300_000
_UNIT_NS: Final = 1_500_000
# Even a small budget is worth that many units, the draws of which the interval is made.
_FEWEST_UNITS: Final = 20
_FEWEST_WITH_INTERVAL: Final = 5
_PATIENCE: Final = 4  # times the budget, for those few
# From here on a loop's overhead (10 ns) is below 0.05 %, and the statement stays single.
_LONG_NS: Final = 20_000
# The end of a loop is predicted with few copies and mispredicted with many, a step of some
# 6 ns: no loop has fewer than 20. And how well the processor foresees the instructions
# inside depends on their number: the pairs of a measurement differ from unit to unit.
_PAIRS: Final = [(20 + 2 * step, 80 + 3 * step) for step in range(16)]
_MOST_COPIES: Final = 96
_COPIES_RATIO: Final = 3
# So many copies take time to compile; fewer pairs where it is long.
_COMPILE_NS: Final = 50_000_000
# The interpreter specialises an instruction after 2 to 16 passes, depending on version.
_WARM_PASSES: Final = 24
_FEWEST_EXECUTIONS: Final = 3
_MOST_MARKED: Final = 100_000
_STOCK_RUN_NS: Final = 200_000_000
_STOCK_REPEAT: Final = 7

Plan = Generator[Any, None, None]
"""Yields a generator of loops to be resumed once, or None between two units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure; the meaning of each is at `nbprobe.timeit.measure`."""

    number: int = 0
    repeat: int = 0
    budget: float = 0.3
    clock: str = "wall"
    statistic: str = "mean"
    counters: bool = False
    precision: int = 3

    @property
    def budget_ns(self) -> int:
        """The budget in ns."""
        return round(self.budget * 1e9)


class Measurement:
    """One statement while it is measured.

    A plan (see `Plan`) says what to run next and never runs anything itself, so that one
    and the same plan serves plain statements, awaiting ones, and several that take turns.

    Attributes
    ----------
    units : list of list of float
        The clean samples of each unit, ns per execution.
    paces : list of float
        How long a fixed piece of work of our own took just before or after each unit,
        ns, whichever was longer (`_core.pace_ns`).
    aside : list of float
        The samples during which the kernel took the core away, ns per execution.
    method : str
        As in `TimeitResult`.
    trials : list of (int, int)
        What was tried to find the number of loops: executions, and the ns they took.
    """

    def __init__(self, subject: Subject, settings: Settings, label: str = "") -> None:
        self.subject = subject
        self.settings = settings
        self.label = label
        self.trials: list[tuple[int, int]] = []
        self.units: list[list[float]] = []
        self.paces: list[float] = []
        self.aside: list[float] = []
        self.method = "loop"
        self.copies = (1, 1)
        self._pairs: list[tuple[int, int]] = []
        self.loops = 1  # with method "stock"
        self.measured_executions = 0
        self.first_ns = 0
        self.setups = 0
        self.time_ns = 0
        self.clean_ns = 0
        self.clean_cpu_ns = 0
        self.collections = 0
        self.collecting_ns = 0
        self.collector_on = False
        self.overheads: list[float] = []
        self.counters: dict[str, float] = {}
        self.counters_note = ""
        self.memory = MemoryPass()
        self.clock = CLOCKS[settings.clock]
        self._unit_ns = min(_UNIT_NS, settings.budget_ns / _FEWEST_UNITS)
        self._frame: Frame | None = None
        self._executions = 0  # in frames that are gone
        self._spent_ns = 0
        started = process_time_ns()
        self.empty = does_nothing(subject.body)
        subject.function((1,))
        self.compile_ns = process_time_ns() - started

    @property
    def executions(self) -> int:
        """How often the statement was begun so far."""
        return self._executions + (self._frame.executions if self._frame else 0)

    @property
    def spent_ns(self) -> int:
        """Time in the user's code and its loops so far."""
        return self._spent_ns + (self._frame.spent_ns if self._frame else 0)

    def plan(self) -> Plan:
        """What to run, one request after the other; ends by itself."""
        if self.subject.each is not None:
            yield from self._each()
        elif self.settings.number or self.settings.repeat:
            yield from self._stock()
        else:
            yield from self._adaptive()
            yield from self._count_memory()
        if self.settings.counters:
            yield from self._count_events()

    def _adaptive(self) -> Plan:
        frame = self._open((1,))
        first = yield from self._first(frame)
        if self.method == "once":
            return
        setup_ns = frame.spent_ns - first
        if first >= _UNIT_NS:
            self.collect()
        per_ns = yield from self._estimate(frame, first)
        if per_ns >= _UNIT_NS:
            self.collect()  # too dear to be thrown away
        else:
            self._forget_units()
            frame.clear()
        if per_ns < _LONG_NS:
            most = min(_MOST_COPIES, max(4, int(_SAMPLE_NS / per_ns)))
            self.method = "slope"
            self._choose_copies(most)
        yield from self._fill_budget(per_ns, setup_ns)

    def _first(self, frame: Frame) -> Generator[Any, None, int]:
        """Run the statement for the first time, cold; it may fill the budget by itself."""
        self.first_ns = yield from frame.block(1)
        self.trials.append((1, self.first_ns))
        if self.first_ns >= self.settings.budget_ns:
            self.method = "once"
            self.collect()
        return self.first_ns

    def _estimate(self, frame: Frame, first_ns: int) -> Generator[Any, None, float]:
        """Run more and more iterations until one sample tells the order of magnitude."""
        per_ns = float(max(first_ns, 1))
        while True:
            iterations = max(1, int(_SAMPLE_NS / 5 / per_ns))
            time_ns = yield from frame.block(iterations)
            self.trials.append((iterations, time_ns))
            per_ns = max(time_ns / iterations, 0.1)
            if time_ns >= _SAMPLE_NS / 10:
                return per_ns

    def _choose_copies(self, most: int) -> None:
        if most < _MOST_COPIES:
            self._pairs = [(max(1, most // _COPIES_RATIO), most)]
        else:
            started = perf_counter_ns()
            self.subject.function(_PAIRS[-1])
            compile_ns = perf_counter_ns() - started
            step = max(1, round(len(_PAIRS) * compile_ns / _COMPILE_NS))
            self._pairs = _PAIRS[::-step]
        self.copies = (self._pairs[-1][0], self._pairs[0][1])

    def _fill_budget(self, per_ns: float, setup_ns: float) -> Plan:
        """Take units of a millisecond or more until the budget is spent.

        Each has a fresh frame, and other numbers of copies than the one before, unless
        the setup is too dear for that.
        """
        choices: list[tuple[int, ...]] = [*self._pairs] or [(1,)]
        pass_ns = {
            copies: per_ns * copies[-1] for copies in choices
        }  # of the long loop
        for copies in itertools.cycle(choices):
            frame = self._frame
            assert frame is not None
            iterations = max(1, round(_SAMPLE_NS / pass_ns[copies]))
            block_ns = iterations * pass_ns[copies]
            blocks = max(1, round(self._unit_ns / block_ns))
            is_fitting = tuple(frame.copies) in choices
            if is_fitting and setup_ns * 5 >= block_ns * blocks:
                copies = tuple(frame.copies)
            else:
                frame = self._open(copies)
                yield from self._warm_up(frame, pass_ns[copies])
            pace = _core.pace_ns()
            for _ in range(blocks):
                yield from frame.block(iterations)
                taken_ns = frame.loops[-1].last_ns or 0
                pass_ns[copies] = max(1.0, taken_ns / iterations)
                if self._is_enough():
                    break
            self.collect(max(pace, _core.pace_ns()))
            if self._is_enough():
                return
            yield None

    def _warm_up(self, frame: Frame, pass_ns: float) -> Plan:
        if passes := round(min(_WARM_PASSES, _SAMPLE_NS / pass_ns)):
            yield from frame.block(passes)
            frame.clear()

    def _is_enough(self) -> bool:
        if self.executions < _FEWEST_EXECUTIONS:
            return False
        # On a busy machine one sample may wait as long as the whole budget for its turn.
        is_short = self.method == "slope" and len(self.units) < _FEWEST_WITH_INTERVAL
        patience = _PATIENCE if is_short else 1
        return self.spent_ns >= patience * self.settings.budget_ns

    def _stock(self) -> Plan:
        self.method = "stock"
        self.loops = self.settings.number or (yield from self._stock_loops())
        for _ in range(self.settings.repeat or _STOCK_REPEAT):
            yield from self._open((1,)).block(self.loops)
            self.collect()
            yield None

    def _stock_loops(self) -> Generator[Any, None, int]:
        """Find the power of ten that takes 0.2 s, as the built-in does."""
        for exponent in range(10):
            loops: int = 10**exponent
            time_ns = yield from self._open((1,)).block(loops)
            self.trials.append((loops, time_ns))
            if time_ns >= _STOCK_RUN_NS:
                break
        return loops

    def exactly(self, number: int) -> Plan:
        """Execute the statement `number` times in one frame, in samples short enough."""
        frame = self._open((1,))
        iterations = 1
        while (left := number - self.executions) > 0:
            if left < 2 * iterations:
                iterations = left  # a short rest would be a sample that tells nothing
            time_ns = yield from frame.block(iterations)
            if time_ns < _SAMPLE_NS / 2:
                iterations *= 2
                self._forget_units()  # too short to tell; the total keeps them
            self.collect()

    def between_calls(
        self, timer: Callable[[], float], number: int, taken: list[float]
    ) -> Plan:
        """Execute `number` times in one go between two calls of `timer`."""
        loop = _core.Loop()
        generator = self.subject.generator((1,), [loop])
        yield generator  # the setup; the loop ends at once, for it is not armed
        loop.arm(number)
        start = timer()
        yield generator
        taken.append(timer() - start)

    def _each(self) -> Plan:
        self.method = "each"
        marks = _core.Loop(self.clock, False), _core.Loop(self.clock, False)
        generator = self.subject.each_generator(*marks)
        frame = self._enter(MarkedFrame(generator, marks, (1, 1)))
        yield from self._first(frame)
        if self.method == "once":
            return
        while not self._is_enough() and self.executions < _MOST_MARKED:
            unit_end_ns = self.spent_ns + self._unit_ns
            while self.spent_ns < unit_end_ns and not self._is_enough():
                yield from frame.block(0)
            self.collect()
            yield None

    def _count_memory(self) -> Plan:
        """Count allocations; not for a statement that is to run once."""
        frame = self._frame
        if frame is not None and self.method in ("slope", "loop") and self.units:
            yield from self.memory.plan(
                frame, median(self.units[-1]), self.settings.budget_ns
            )

    def _count_events(self) -> Plan:
        """Count hardware events in a pass of its own, which cannot disturb the timing."""
        with _core.Counters() as counters:
            self.counters_note = counters.unavailable
            if not counters.names:
                return
            if self.method in ("once", "each"):
                self.counters_note = (
                    "events are counted only for a statement that is repeated"
                )
                return
            few = yield from self._events_per_iteration(counters, self.copies[0])
            if self.method != "slope":
                self.counters = few
                return
            many = yield from self._events_per_iteration(counters, self.copies[1])
        difference = self.copies[1] - self.copies[0]
        self.counters = {name: (many[name] - few[name]) / difference for name in many}

    def _events_per_iteration(
        self, counters: _core.Counters, copies: int
    ) -> Generator[Any, None, dict[str, float]]:
        """Count n and 2n iterations: the difference holds nothing but n iterations."""
        frame = self._open((copies,))
        time_ns = yield from frame.block(1)
        iterations = max(1, round(_SAMPLE_NS / max(time_ns, 1)))
        counted = []
        for block in (iterations, 2 * iterations):
            counters.start()
            yield from frame.block(block)
            counted.append(counters.stop())
        frame.clear()
        once, twice = counted
        return {name: (twice[name] - once[name]) / iterations for name in once}

    # Frames and what they give.

    def _open(self, copies: tuple[int, ...]) -> Frame:
        """Enter fresh loops; their setup runs with the first block."""
        loops = [_core.Loop(self.clock) for _ in copies]
        return self._enter(Frame(self.subject.generator(copies, loops), loops, copies))

    def _enter(self, frame: Frame) -> Frame:
        self._executions = self.executions
        self._spent_ns = self.spent_ns
        self._frame = frame
        self.setups += 1
        return frame

    def collect(self, pace: float | None = None) -> None:
        """Make a unit of the samples that the present frame has taken.

        `pace` is how slow the processor was meanwhile; without it, how slow it is now.
        """
        frame = self._frame
        if frame is None:
            return
        clean: list[float] = []
        for value, executions, is_clean in self._values(frame):
            if is_clean or self.method == "stock":
                clean.append(value)
                self.measured_executions += executions
            else:
                self.aside.append(value)
        if clean:
            self.units.append(clean)
            self.paces.append(pace or _core.pace_ns())
        for loop in frame.loops:
            self.collections += loop.collections
            self.collecting_ns += loop.collecting_ns
        self.collector_on |= gc.isenabled()
        frame.clear()

    def _forget_units(self) -> None:
        self.units.clear()
        self.paces.clear()

    def _values(self, frame: Frame) -> Iterator[tuple[float, int, bool]]:
        """Give for each block: ns per execution, executions, whether it was undisturbed."""
        first, last = frame.loops[0].samples(), frame.loops[-1].samples()
        if isinstance(frame, MarkedFrame):
            overhead = median(sample[0] for sample in last) if last else 0.0
            self.overheads.append(overhead)
            for time_ns, cpu_ns, _, switches in first:
                self._add_time(time_ns, cpu_ns, switches == 0)
                yield time_ns - overhead, 1, switches == 0
        elif len(frame.loops) == 1:
            for time_ns, cpu_ns, iterations, switches in first:
                self._add_time(time_ns, cpu_ns, switches == 0)
                yield time_ns / iterations, iterations, switches == 0
        else:
            few, many = frame.copies
            for short, long in zip(first, last, strict=False):
                iterations = short[2]
                is_clean = short[3] == long[3] == 0
                value = (long[0] - short[0]) / (iterations * (many - few))
                self._add_time(short[0] + long[0], short[1] + long[1], is_clean)
                self.overheads.append(short[0] / iterations - few * value)
                yield value, iterations * (few + many), is_clean

    def _add_time(self, time_ns: int, cpu_ns: int, is_clean: bool) -> None:
        self.time_ns += time_ns
        if is_clean:
            self.clean_ns += time_ns
            self.clean_cpu_ns += cpu_ns

    def on_collection(self, phase: str, info: dict[str, Any]) -> None:
        """For gc.callbacks: tell the loops of the present frame."""
        if self._frame is not None:
            for loop in self._frame.loops:
                loop.on_collection(phase, info)


def run(measurements: Sequence[Measurement], plan: Plan | None = None) -> None:
    """Carry out the plans of all measurements in turns, or another plan for them.

    Garbage collection is off meanwhile, as with the built-in, unless a setup turns it on.

    Raises
    ------
    BaseException
        Whatever the user's code raises; the measurements keep what they have.
    """
    plan = _in_turns(measurements) if plan is None else plan
    with collector_off.during(
        [measurement.on_collection for measurement in measurements]
    ):
        try:
            if any(measurement.subject.is_async for measurement in measurements):
                # Late: asyncio takes longer to import than all of ours.
                from .. import awaiting

                awaiting.run(_resume_async(plan))
            else:
                _resume(plan)
        except BaseException:
            for measurement in measurements:
                measurement.collect()
            raise


def _in_turns(measurements: Sequence[Measurement]) -> Plan:
    """Take one unit of each measurement in a new random order each round.

    In a fixed order, what one statement leaves behind in the caches would always fall on
    the same other one.
    """
    order = random.Random()
    active = [measurement.plan() for measurement in measurements]
    while active:
        order.shuffle(active)
        for plan in list(active):
            for request in plan:
                if request is None:
                    break
                yield request
            else:
                active.remove(plan)


def _resume(plan: Plan) -> None:
    for generator in plan:
        try:
            next(generator)
        except RuntimeError as error:
            _raise_users_own(error)


async def _resume_async(plan: Plan) -> None:
    for generator in plan:
        try:
            if isinstance(generator, AsyncGenerator):
                await anext(generator)
            else:
                next(generator)
        except RuntimeError as error:
            _raise_users_own(error)


def _raise_users_own(error: RuntimeError) -> NoReturn:
    """Undo what generators do to a StopIteration of the code inside."""
    cause = error.__cause__
    if isinstance(cause, StopIteration | StopAsyncIteration):
        raise cause.with_traceback(cause.__traceback__) from None
    raise error
