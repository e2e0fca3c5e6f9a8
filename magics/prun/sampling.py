"""Profile by sampling: a thread without the interpreter looks at all stacks."""

from __future__ import annotations

import linecache
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import CodeType
from typing import Any

from .._core import Sampler
from ..code import Code
from ..errors import SamplingError
from ..execution import concluded, runner
from .calibration import Costs
from .merging import without_strangers
from .ours import without_ours
from .result import Function, ProfileResult, Thread
from .sampled import SampledLine, Sampling
from .threadnames import ThreadNames, names_now

__all__ = ["HZ", "SampleRecording", "sample"]

HZ = 1000.0

_LINES = 100
_BUSY = 0.01  # of the processor, what a thread needs that is no mere waiting
_LOST = Function("~", 0, "<frames that were too deep>", "(too deep)")


def sample(
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    hz: float = HZ,
    on_partial: Callable[[ProfileResult], None] | None = None,
) -> ProfileResult:
    """Profile code that runs once, by looking at it at random moments.

    Parameters
    ----------
    code : Code
        It may await.
    globals : dict
        The names that the code sees and, without `locals`, sets.
    locals : mapping, optional
        Local names of a caller: the code sees them as if it stood in that function.
    hz : float
        Looks a second, on average.
    on_partial : callable, optional
        Called with what was seen when an exception ends the code, before that is passed
        on.

    Returns
    -------
    ProfileResult
        With `sampling`; what it calls calls are samples.

    Raises
    ------
    SamplingError
        Stacks cannot be read here; nothing was run.

    See Also
    --------
    py-spy, austin
    """
    recording = SampleRecording(hz)
    run = runner(recording, code, globals=globals, locals=locals)

    def result(interrupted: bool) -> ProfileResult:
        return recording.result(code.source, interrupted=interrupted)

    return concluded(run, result, on_partial, refusal=SamplingError)


class SampleRecording:
    """A sampler round one piece of code; `execution.Recording`."""

    def __init__(self, hz: float) -> None:
        self._sampler = Sampler(hz)
        self._caller = threading.get_ident()
        self._names = ThreadNames()

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        """Sample code."""
        return self.runcall(exec, code, globals, locals)

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        """Sample a function."""
        sampler = self._sampler
        try:
            self._names.begin()
            try:
                # What this frame calls from now on is what is sampled.
                sampler.start()
            except RuntimeError as error:
                raise SamplingError(str(error)) from None
            try:
                return func(*args)
            finally:
                sampler.stop()
        finally:
            self._names.end()

    def result(self, statement: str, *, interrupted: bool) -> ProfileResult:
        """Give what was seen."""
        rounds, skipped, _, cost_ns, ran_ns, slowed = self._sampler.stats()
        called, sampled, nodes, places = self._sampler.table()
        functions = [*(Function(*each) for each in called), _LOST]
        names = self._names
        now = names_now()
        latest = {
            seen[0]: seen[5] for seen in sorted(sampled, key=lambda seen: seen[5])
        }
        threads = []
        waiting = []
        lost = crowded = preempted = 0
        columns = _columns(nodes, len(sampled), len(functions) - 1)
        for number, (seen, (parent, function, own)) in enumerate(
            zip(sampled, columns, strict=True)
        ):
            ident, samples, torn, above, queued, first_ns, last_ns, cpu_ns, _ = seen
            if samples == 0:
                continue
            name = names.of(ident, first_ns)
            if latest[ident] == first_ns:
                # If it still runs, it may have got its name late.
                name = now.get(ident, name)
            name = name or f"thread {number + 1}"
            busy = cpu_ns > _BUSY * max(last_ns - first_ns, 1)
            was_there = names.was_there(ident, first_ns)
            if was_there and ident != self._caller and not busy:
                waiting.append(name)
                continue
            lost += torn
            crowded += above
            preempted += queued
            # A stack that was torn was one of these, as likely as any.
            each = ran_ns / max(rounds, 1) * (samples + torn) / samples
            threads.append(_thread(name, ident, parent, function, own, each))
        threads.sort(key=lambda thread: thread.ident != self._caller)
        threads = without_ours(functions, threads)
        lines = list(_lines(functions, places, threads))
        result = ProfileResult(
            statement=statement,
            functions=tuple(functions),
            threads=tuple(threads),
            wall_ns=ran_ns,
            costs_ns=Costs().of_events,
            builtins=False,
            sort=("tottime",),
            limits=(),
            unseen=0,
            displaced=False,
            interrupted=interrupted,
            python=platform.python_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            sampling=Sampling(
                hz=self._sampler.hz,
                rounds=rounds,
                samples=sum(_samples(thread) for thread in threads),
                torn=lost,
                crowded=crowded,
                preempted=preempted,
                skipped=skipped,
                slowed=slowed,
                cost_ns=cost_ns,
                waiting=tuple(waiting),
                lines=tuple(lines),
            ),
        )
        return without_strangers(result)


Columns = tuple[list[int], list[int], list[int]]


def _columns(
    nodes: list[tuple[int, int, int, int]], threads: int, lost: int
) -> list[Columns]:
    """Divide the nodes by thread: parents, functions and own samples of each."""
    columns: list[Columns] = [([], [], []) for _ in range(threads)]
    places: list[int] = []
    for parent, function, thread, samples in nodes:
        parents, functions, own = columns[thread]
        if parent < 0:
            # What stands for the thread itself is no call.
            places.append(-1)
            continue
        places.append(len(parents))
        parents.append(places[parent])
        functions.append(function if function >= 0 else lost)
        own.append(samples)
    return columns


def _thread(
    name: str,
    ident: int,
    parent: list[int],
    function: list[int],
    own: list[int],
    each: float,
) -> Thread:
    below = own.copy()
    for index in range(len(parent) - 1, -1, -1):
        if parent[index] >= 0:
            below[parent[index]] += below[index]
    inclusive = tuple(samples * each for samples in below)
    self_ns = tuple(samples * each for samples in own)
    return Thread(
        name=name,
        ident=ident,
        parent=tuple(parent),
        function=tuple(function),
        calls=tuple(below),
        resumes=(0,) * len(parent),
        inclusive_ns=inclusive,
        self_ns=self_ns,
        raw_inclusive_ns=inclusive,
        raw_self_ns=self_ns,
        crowded=0,
        dropped=0,
    )


def _samples(thread: Thread) -> int:
    roots = zip(thread.parent, thread.calls, strict=True)
    return sum(samples for parent, samples in roots if parent < 0)


def _lines(
    functions: list[Function],
    places: list[tuple[int, int, int]],
    threads: list[Thread],
) -> Iterator[SampledLine]:
    shown = {function for thread in threads for function in thread.function}
    counts: Counter[tuple[int, int]] = Counter()
    for function, line, samples in places:
        if function in shown:
            counts[function, line] += samples
    for (function, line), samples in counts.most_common(_LINES):
        called = functions[function]
        yield SampledLine(
            file=called.file,
            line=line,
            qualname=called.qualname,
            samples=samples,
            text=linecache.getline(called.file, line).strip() if line else "",
        )
