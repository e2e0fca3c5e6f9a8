"""`memory_usage` and `LogFile`, with memory_profiler's signatures."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from .._core import ResidentPeak, ResidentSampler
from .recording import MIB, child_line, memory_line
from .watch import Sample, Watch

__all__ = ["LogFile", "memory_usage"]

# Samples of one call are kept in a table of this size; a longer call has fewer a second.
_CAPACITY = 1 << 16
_LEAST_S = 0.0001

# The number of a line, what was used and what it grew by.
_ROW = re.compile(r"\s*\d+\s+-?[\d.]+ MiB\s+(-?[\d.]+) MiB")


def memory_usage(
    proc: Any = -1,
    interval: float = 0.1,
    timeout: float | None = None,
    timestamps: bool = False,
    include_children: bool = False,
    multiprocess: bool = False,
    max_usage: bool = False,
    retval: bool = False,
    stream: IO[str] | None = None,
    backend: str | None = None,
    max_iterations: int | None = None,
) -> Any:
    """Give the memory of a process, or of this one while a function runs.

    Parameters
    ----------
    proc : int, str, subprocess.Popen, callable or tuple
        A process, -1 for this one; or a function, or a tuple of it, its arguments and its
        keywords. The function is called exactly once.
    interval : float
        Seconds between two looks.
    timeout : float, optional
        Look for so many seconds. Without one, a function or a `Popen` is watched to its
        end, and another process is looked at once.
    timestamps : bool
        Give pairs of MiB and seconds since 1970.
    include_children : bool
        Add up the process and its descendants: their proportional sizes, unless a backend
        is named, so that nothing is counted twice.
    multiprocess : bool
        Give a list for each look: the process, then each of its descendants.
    max_usage : bool
        Give only the most.
    retval : bool
        Give a tuple of the usage and of what the function returns.
    stream : file, optional
        Write the lines of a ``.dat`` file there, and give no usage.
    backend : str, optional
        What is counted, by memory_profiler's names: resident memory (``'psutil'``,
        ``'posix'``), ``'psutil_pss'``, ``'psutil_uss'``, ``'tracemalloc'``.
    max_iterations : int, optional
        Accepted for memory_profiler's sake, which calls the function again and again.

    Returns
    -------
    list of float
        Memory in MiB. The highest is exact for resident memory, however short it lasted
        and whatever the interval.

    Raises
    ------
    ProcessError
        There is no such process.
    BaseException
        Whatever the function raises. No process is ended by it.

    See Also
    --------
    measure : what one call does to memory, in bytes.

    Examples
    --------
    >>> most = memory_usage((bytearray, (50 * 2**20,)), max_usage=True)
    >>> most - memory_usage()[0] > 49
    True
    """
    if interval <= 0:
        raise ValueError(f"the interval must be above 0 seconds, and is {interval}")
    looks = _Looks(timestamps or stream is not None, multiprocess, max_usage, stream)
    if callable(proc):
        proc = (proc,)
    if isinstance(proc, list | tuple):
        if not 1 <= len(proc) <= 3:
            raise ValueError("a function comes with its arguments and its keywords")
        plain = backend in (None, "psutil", "posix") and not multiprocess
        if include_children and backend is not None:
            plain = False
        watched: _Sampled | _Watched
        if plain:
            watched = _Sampled(interval, timeout, include_children)
        else:
            watched = _Watched(
                interval, timeout, include_children, multiprocess, backend
            )
        returned = watched.call(*proc)
        for sample in watched.samples():
            looks.add(sample)
        return (looks.result(), returned) if retval else looks.result()
    pid, ended = _process(proc)
    watch = Watch(
        pid, backend, include_children=include_children, multiprocess=multiprocess
    )
    if timeout is None and not isinstance(proc, subprocess.Popen):
        looks.add(watch.look())
    else:
        for sample in watch.looks(interval, timeout_s=timeout, ended=ended):
            looks.add(sample)
    return looks.result()


def _process(proc: Any) -> tuple[int, Callable[[], bool]]:
    if isinstance(proc, subprocess.Popen):
        return proc.pid, lambda: proc.poll() is not None
    pid = int(proc)
    return (os.getpid() if pid == -1 else pid), lambda: False


class _Looks:
    """Turns samples into what memory_profiler gives or writes."""

    def __init__(
        self, timestamps: bool, each: bool, only_most: bool, stream: IO[str] | None
    ) -> None:
        self._timestamps = timestamps
        self._each = each
        self._only_most = only_most
        self._stream = stream
        self._usage: list[Any] = []
        self._most: tuple[float, float] | None = None

    def add(self, sample: Sample) -> None:
        if self._most is None or sample.most > self._most[0]:
            self._most = sample.most, sample.time_s
        if self._stream is not None:
            self._write(sample, self._stream)
            return
        if self._only_most:
            return
        figure: Any = sample.most
        if self._timestamps:
            figure = figure, sample.time_s
        if self._each:
            figure = [figure, *(mib for _, mib in sample.children)]
        self._usage.append(figure)

    def _write(self, sample: Sample, stream: IO[str]) -> None:
        if sample.missed:
            stream.write(memory_line(*sample.missed))
        stream.write(memory_line(sample.mib, sample.time_s))
        for pid, mib in sample.children:
            stream.write(child_line(pid, mib, sample.time_s))

    def result(self) -> Any:
        if self._stream is not None:
            self._stream.flush()
            return None
        if not self._only_most:
            return self._usage
        most = self._most or (-1.0, 0.0)
        return most if self._timestamps else most[0]


class _Sampled:
    """Watches this process during a call, by a thread in C; the peak is the kernel's."""

    def __init__(
        self, interval_s: float, timeout_s: float | None, children: bool
    ) -> None:
        self._sampler = ResidentSampler(
            max(interval_s, _LEAST_S), _CAPACITY, children=children
        )
        # What the processes used together has no mark of the kernel's.
        self._peak = None if children else ResidentPeak()
        self._children = children
        self._timeout_s = timeout_s
        self._start_s = 0.0

    def call(
        self,
        func: Callable[..., Any],
        args: Any = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        self._start_s = time.time()
        self._sampler.start()
        try:
            if self._peak is None:
                return func(*args, **keywords or {})
            with self._peak:
                return func(*args, **keywords or {})
        finally:
            self._sampler.stop()

    def samples(self) -> Iterator[Sample]:
        looks = [
            (bytes_ / MIB, self._start_s + time_ns / 1e9)
            for time_ns, bytes_ in self._sampler.samples()
        ]
        if self._peak is not None:
            peak = self._peak.peak_bytes / MIB
            highest = max(range(len(looks)), key=lambda index: looks[index][0])
            looks[highest] = max(looks[highest][0], peak), looks[highest][1]
            looks.insert(0, (self._peak.start_bytes / MIB, self._start_s))
        for mib, time_s in looks:
            if self._timeout_s is None or time_s - self._start_s <= self._timeout_s:
                yield Sample(mib, time_s, None, ())


class _Watched:
    """Watches this process during a call by a thread of Python, for any backend."""

    def __init__(
        self,
        interval_s: float,
        timeout_s: float | None,
        children: bool,
        each: bool,
        backend: str | None,
    ) -> None:
        self._watch = Watch(
            os.getpid(), backend, include_children=children, multiprocess=each
        )
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._done = threading.Event()
        self._looks: list[Sample] = []

    def call(
        self,
        func: Callable[..., Any],
        args: Any = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        self._looks.append(self._watch.look())
        thread = threading.Thread(
            target=self._look, name="nbprobe memory_usage", daemon=True
        )
        thread.start()
        try:
            return func(*args, **keywords or {})
        finally:
            self._done.set()
            thread.join()
            self._looks.append(self._watch.look())

    def _look(self) -> None:
        end = time.monotonic() + (self._timeout_s or float("inf"))
        while not self._done.wait(self._interval_s) and time.monotonic() < end:
            self._looks.append(self._watch.look())

    def samples(self) -> Iterator[Sample]:
        yield from self._looks


class LogFile:
    """A file whose lines go to a logger, for `profile` and `show_results` to write to.

    Parameters
    ----------
    name : str, optional
        Of the logger.
    reportIncrementFlag : bool
        Log only lines of code that memory grew in, and the headings.

    Examples
    --------
    >>> import sys
    >>> sys.stdout = LogFile("memory")  # doctest: +SKIP
    """

    def __init__(
        self, name: str | None = None, reportIncrementFlag: bool = False
    ) -> None:
        self.logger = logging.getLogger(name)
        self.reportIncrementFlag = reportIncrementFlag

    def write(self, msg: str, level: int = logging.INFO) -> None:
        """Log a text."""
        if not self.reportIncrementFlag or self._is_wanted(msg):
            self.logger.log(level, msg)

    def _is_wanted(self, msg: str) -> bool:
        row = _ROW.match(msg)
        if row is None:
            return "Filename:" in msg or "Line Contents" in msg
        return float(row[1]) > 0

    def flush(self) -> None:
        """Flush the logger's handlers."""
        for handler in self.logger.handlers:
            handler.flush()
