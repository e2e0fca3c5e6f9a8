"""The threads that a notebook's kernel has for itself, which are nobody's work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from ._core import leave_out_thread

__all__ = ["LeftOut", "kernel_threads", "unseen"]

_OWN = ("ipykernel.", "IPython.")


def kernel_threads() -> list[threading.Thread]:
    """Give the threads of ipykernel and IPython but for the calling one.

    They wait for messages, send what is shown, and keep the history of the input.
    """
    calling = threading.get_ident()
    return [
        thread
        for thread in threading.enumerate()
        if thread.ident not in (None, calling) and _is_kernels(thread)
    ]


def _is_kernels(thread: threading.Thread) -> bool:
    target = getattr(thread, "_target", None)
    modules = (type(thread).__module__, getattr(target, "__module__", None) or "")
    return any(name.startswith(_OWN) for name in modules)


@contextmanager
def unseen() -> Iterator[None]:
    """No measurement counts what the calling thread allocates, in a ``with`` block."""
    ident = threading.get_ident()
    leave_out_thread(True, ident)
    try:
        yield
    finally:
        leave_out_thread(False, ident)


class LeftOut:
    """No measurement counts what the kernel's own threads allocate, in a ``with`` block."""

    def __init__(self) -> None:
        self._idents: list[int] = []

    def begin(self) -> None:
        """Leave them out from now on."""
        for thread in kernel_threads():
            if thread.ident is not None:
                leave_out_thread(True, thread.ident)
                self._idents.append(thread.ident)

    def end(self) -> None:
        """Take it back; once more does nothing."""
        while self._idents:
            leave_out_thread(False, self._idents.pop())

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()
