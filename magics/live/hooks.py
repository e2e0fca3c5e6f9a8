"""What is replaced in `os` while a process reports, and put back when the profile ends.

Functions that end a process, or make it another program, run no exit functions; and
programs that become daemons close every descriptor that there is, also those of libzmq,
which would end the process for that.
"""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from errno import EBADF
from typing import Any, NoReturn

__all__ = ["Hooks", "real_close"]

_NAMES = ("_exit", "close", "closerange", "execv", "execve")
_REAL: dict[str, Any] = {name: getattr(os, name) for name in _NAMES}
# What libzmq talks to itself with; Linux only.
_INTERNAL = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")

#: Closes a descriptor in any case.
real_close = os.close


class Hooks:
    """What is replaced in one process.

    Parameters
    ----------
    finish : callable
        Called before the process ends.
    leave_word : callable
        Called before it becomes another program, which may fail.
    endpoint : str
        What it is connected to: ``ipc://`` and a path, or ``tcp://``, a host and a port;
        empty for nothing.

    Notes
    -----
    It has to be made before the descriptors are opened that are not to be closed, and
    installed when they are there. For who closes them they are not open.
    """

    def __init__(
        self,
        finish: Callable[[], None],
        leave_word: Callable[[], None],
        endpoint: str,
    ) -> None:
        self._finish = finish
        self._leave_word = leave_word
        path = endpoint.removeprefix("ipc://")
        is_path = path != endpoint
        # What the other side is called.
        self._peer = path if is_path else int(endpoint.rpartition(":")[2] or 0)
        self._family = socket.AF_UNIX if is_path else socket.AF_INET
        self._before = dict(_open_descriptors())
        self._ours: frozenset[int] = frozenset()
        self._is_connected = False

    def install(self, descriptors: Iterable[int]) -> None:
        """Replace the functions; `descriptors` and libzmq's own cannot be closed now."""
        internal = (
            number
            for number, what in _open_descriptors()
            if what in _INTERNAL and self._before.get(number) != what
        )
        self._ours = frozenset((*descriptors, *internal))
        self.find_connection()
        atexit.register(self._finish)
        for name, replacement in self._replacements():
            setattr(os, name, replacement)

    def remove(self) -> None:
        """Put the real ones back, but for what somebody else has replaced since."""
        atexit.unregister(self._finish)
        self._ours = frozenset()
        for name, replacement in self._replacements():
            if getattr(os, name) == replacement:
                setattr(os, name, _REAL[name])

    def _replacements(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name in _NAMES:
            yield name, getattr(self, f"_{name.lstrip('_')}")

    def _exit(self, status: int) -> NoReturn:
        """In place of `os._exit`: multiprocessing ends so."""
        self._finish()
        _REAL["_exit"](status)
        raise AssertionError("a process goes on after its end")

    def _execv(self, path: Any, argv: Any, /) -> None:
        """In place of `os.execv`, which `os.spawnv` and others call after a fork."""
        self._leave_word()
        _REAL["execv"](path, argv)

    def _execve(self, path: Any, argv: Any, env: Any) -> None:
        self._leave_word()
        _REAL["execve"](path, argv, env)

    def _close(self, fd: int) -> None:
        if fd in self._ours:
            raise OSError(EBADF, os.strerror(EBADF))
        real_close(fd)

    def _closerange(self, fd_low: int, fd_high: int, /) -> None:
        for number in sorted(self._ours):
            if fd_low <= number < fd_high:
                _REAL["closerange"](fd_low, number)
                fd_low = number + 1
        _REAL["closerange"](fd_low, fd_high)

    def find_connection(self) -> None:
        """Keep the connection open too; it may take a moment until there is one."""
        if self._is_connected or not self._peer:
            return
        for number, what in _open_descriptors():
            if what.startswith("socket:") and self._is_connection(number):
                self._ours |= {number}
                self._is_connected = True

    def _is_connection(self, number: int) -> bool:
        try:
            with socket.fromfd(number, self._family, socket.SOCK_STREAM) as end:
                name = end.getpeername()
        except OSError:
            return False  # it is connected to nothing
        return bool((name if isinstance(name, str) else name[1]) == self._peer)


def _open_descriptors() -> Iterator[tuple[int, str]]:
    """Give the numbers of all that is open, and what it is; nothing but on Linux."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return
    for name in names:
        try:
            yield int(name), os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass  # that of the list itself
