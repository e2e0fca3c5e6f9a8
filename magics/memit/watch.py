"""The memory of a process, looked at again and again from outside of it or from inside."""

from __future__ import annotations

import os
import select
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .._core import process_children
from . import processes
from .processes import ProcessError
from .recording import MIB

__all__ = ["BACKENDS", "Sample", "Watch", "reader"]

#: memory_profiler's names of what is counted.
BACKENDS = ("psutil", "psutil_pss", "psutil_uss", "posix", "tracemalloc")


def reader(backend: str | None) -> Callable[[int], int]:
    """Give what reads the memory of a process, bytes, under one of memory_profiler's names.

    Raises
    ------
    ValueError
        For another name.
    """
    if backend in (None, "psutil", "posix"):
        return lambda pid: processes.resident(pid).now
    if backend == "psutil_pss":
        return processes.proportional
    if backend == "psutil_uss":
        return processes.unique
    if backend == "tracemalloc":
        return _traced
    raise ValueError(
        f"the backend must be one of {', '.join(BACKENDS)}, not {backend!r}"
    )


def _traced(pid: int) -> int:
    if pid != os.getpid():
        raise ProcessError(
            "tracemalloc knows its own process only: choose another backend"
        )
    return tracemalloc.get_traced_memory()[0]


class Sample(NamedTuple):
    """One look at a process.

    Attributes
    ----------
    mib : float
        Memory now, MiB; of all its processes when they are added up.
    time_s : float
        Seconds since 1970.
    missed : tuple of float, or None
        More than this, and about when, since the look before: MiB and seconds.
    children : tuple of (pid, MiB)
    """

    mib: float
    time_s: float
    missed: tuple[float, float] | None
    children: tuple[tuple[int, float], ...]

    @property
    def most(self) -> float:
        """The most since the look before, MiB."""
        return self.missed[0] if self.missed else self.mib


class Watch:
    """Looks at a process.

    Parameters
    ----------
    pid : int
    backend : str, optional
        One of `BACKENDS`; by default resident memory.
    include_children : bool
        Add up the process and all its descendants: their proportional sizes, unless a
        backend was named, so that what they share is counted once.
    multiprocess : bool
        Look at each descendant too.

    Notes
    -----
    A peak between two looks is not missed when it is the highest until then: the kernel
    keeps that figure. Its time is known only to lie between the two.
    """

    def __init__(
        self,
        pid: int,
        backend: str | None = None,
        *,
        include_children: bool = False,
        multiprocess: bool = False,
    ) -> None:
        self._pid = pid
        self._sum = include_children
        self._each = multiprocess
        if include_children and backend is None:
            backend = "psutil_pss"
        self._read = reader(backend)
        self._peaks = backend in (None, "psutil", "posix") and not include_children
        self._highest = 0
        self._last_s = 0.0

    def look(self) -> Sample:
        """Read the memory.

        Raises
        ------
        ProcessError
            The process is not there any more.
        """
        missed = None
        now = time.time()
        if self._peaks:
            resident = processes.resident(self._pid)
            value = resident.now
            if self._last_s and resident.peak > max(self._highest, value):
                missed = (resident.peak / MIB, (self._last_s + now) / 2)
            self._highest = resident.peak
        elif self._sum:
            value = processes.of_tree(self._pid, self._read)
        else:
            value = self._read(self._pid)
        self._last_s = now
        children = tuple(self._children()) if self._each else ()
        return Sample(value / MIB, now, missed, children)

    def _children(self) -> Iterator[tuple[int, float]]:
        for pid in process_children(self._pid):
            try:
                value = self._read(pid)
            except ProcessError:  # it has ended meanwhile
                continue
            if value:
                yield pid, value / MIB

    def looks(
        self,
        interval_s: float,
        *,
        timeout_s: float | None = None,
        ended: Callable[[], bool] = lambda: False,
    ) -> Iterator[Sample]:
        """Look at once and then at every interval, until the process is gone.

        Parameters
        ----------
        timeout_s : float, optional
            Stop then.
        ended : callable
            Whether the process has ended, asked before each look.
        """
        start = time.monotonic()
        number = 0
        with _end_of(self._pid) as wait:
            while not ended():
                try:
                    sample = self.look()
                except ProcessError:
                    if number == 0:
                        raise
                    return
                if sample.mib == 0 and not self._sum and number:
                    return  # it has ended, and nobody has waited for it
                yield sample
                number += 1
                if timeout_s is not None and number * interval_s >= timeout_s:
                    return
                # By the clock, so that the looks themselves do not make them fewer.
                wait(max(0.0, start + number * interval_s - time.monotonic()))


@contextmanager
def _end_of(pid: int) -> Iterator[Callable[[float], object]]:
    """Give what waits for so many seconds, or until the process ends."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel, or no such process
        yield time.sleep
        return
    try:
        yield lambda seconds: select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
