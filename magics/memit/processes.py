"""The memory of processes as the kernel counts it, read from ``/proc``.

Three figures are in use. *Resident* counts every page that is in memory. A page that
several processes share is counted in each of them, so resident sizes must not be added up;
*proportional* gives each its part of such a page, and may be added. *Unique* leaves shared
pages out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import NbprobeError

__all__ = [
    "ProcessError",
    "Resident",
    "children",
    "command",
    "find",
    "proportional",
    "resident",
    "unique",
]

_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessError(NbprobeError):
    """A process is not there, or its memory may not be read."""


class Resident(NamedTuple):
    """Resident memory of a process, bytes: now, and the most since it began."""

    now: int
    peak: int


def resident(pid: int) -> Resident:
    """Give the resident memory of a process.

    Raises
    ------
    ProcessError
        There is no such process, or no ``/proc``.

    Notes
    -----
    `peak` is the kernel's own high-water mark (VmHWM), which misses nothing. Takes about
    20 us.
    """
    fields = dict(_fields(pid, "status", ("VmRSS", "VmHWM")))
    # A kernel thread and a process that has ended, but was not waited for, have none.
    now = fields.get("VmRSS", 0)
    return Resident(now, max(fields.get("VmHWM", 0), now))


def proportional(pid: int) -> int:
    """Give the proportional set size of a process, bytes; takes about 2 ms."""
    return sum(value for _, value in _fields(pid, "smaps_rollup", ("Pss",)))


def unique(pid: int) -> int:
    """Give the unique set size of a process, bytes; takes about 2 ms."""
    names = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")
    return sum(value for _, value in _fields(pid, "smaps_rollup", names))


def _fields(pid: int, file: str, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Give the lines ``Name:  123 kB`` of a file of the process, in bytes."""
    for line in _read(pid, file).splitlines():
        name, _, value = line.partition(b":")
        if name.decode("ascii", "replace") in names:
            yield name.decode(), int(value.split()[0]) * 1024


def _read(pid: int, file: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{file}", "rb") as opened:
            return opened.read()
    except (FileNotFoundError, ProcessLookupError):
        if not os.path.isdir("/proc/self"):
            raise ProcessError(
                "the memory of processes is read from /proc, which this system lacks"
            ) from None
        raise ProcessError(f"there is no process {pid}") from None
    except PermissionError:
        raise ProcessError(f"the memory of process {pid} may not be read") from None


def children(pid: int) -> list[int]:
    """Give the descendants of a process, at any depth."""
    found: list[int] = []
    ahead = [pid]
    while ahead:
        direct = _direct_children(ahead.pop())
        found += direct
        ahead += direct
    return found


def _direct_children(pid: int) -> list[int]:
    """Give what every thread of the process has started and is still there."""
    pids: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return pids
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                pids += map(int, file.read().split())
        except OSError:  # the thread or the process ended meanwhile
            continue
    return pids


def of_tree(pid: int, read: Callable[[int], int] = proportional) -> int:
    """Add up what `read` gives for a process and all its descendants, bytes."""
    total = read(pid)
    for child in children(pid):
        try:
            total += read(child)
        except ProcessError:  # it has ended meanwhile
            continue
    return total


def command(pid: int) -> list[str]:
    """Give the command line of a process."""
    return _read(pid, "cmdline").decode("utf-8", "replace").split("\0")[:-1]


def find(name: str) -> int | None:
    """Give the first process whose name contains `name`; never this one."""
    for entry in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        pid = int(entry)
        try:
            comm = _read(pid, "comm").decode("utf-8", "replace")
        except ProcessError:
            continue
        if name in comm and pid != os.getpid():
            return pid
    return None
