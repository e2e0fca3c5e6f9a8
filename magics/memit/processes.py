"""The memory of processes as the kernel counts it, read from ``/proc``.

Three figures are in use. *Resident* counts every page that is in memory. A page that
several processes share is counted in each of them, so resident sizes must not be added up;
*proportional* gives each its part of such a page, and may be added. *Unique* leaves shared
pages out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from .._core import process_children, process_memory
from ..errors import NbprobeError

__all__ = [
    "ProcessError",
    "Resident",
    "command",
    "find",
    "has_waited_for_children",
    "of_tree",
    "proportional",
    "resident",
    "unique",
]


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
    now = peak = 0
    for line in _read(pid, "status").splitlines():
        # A process that has ended, but was not waited for, has neither.
        if line.startswith(b"VmRSS:"):
            now = int(line.split()[1]) * 1024
        elif line.startswith(b"VmHWM:"):
            peak = int(line.split()[1]) * 1024
    return Resident(now, max(peak, now))


def proportional(pid: int) -> int:
    """Give the proportional set size of a process, bytes; takes about 2 ms."""
    return _memory(pid)[1]


def unique(pid: int) -> int:
    """Give the unique set size of a process, bytes; takes about 2 ms."""
    return _memory(pid)[2]


def _memory(pid: int) -> tuple[int, int, int, int]:
    try:
        return process_memory(pid)
    except OSError as error:
        raise ProcessError(error.strerror) from None


def _read(pid: int, file: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{file}", "rb") as opened:
            return opened.read()
    except OSError:
        # The core tells apart what is the matter, and says it in words.
        _memory(pid)
        raise ProcessError(f"the memory of process {pid} may not be read") from None


def of_tree(pid: int, read: Callable[[int], int] = proportional) -> int:
    """Add up what `read` gives for a process and all its descendants, bytes."""
    total = read(pid)
    for child in process_children(pid):
        try:
            total += read(child)
        except ProcessError:  # it has ended meanwhile
            continue
    return total


def has_waited_for_children(pid: int) -> bool:
    """Whether a process, maybe one that has ended, has waited for processes of its own."""
    # What those have done is added up: their page faults, without which none begins.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[8]) > 0


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
