"""Names of threads, also of those that start and end while a profile is made."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic_ns

from .result import Thread

__all__ = ["ThreadNames"]


class ThreadNames:
    """Notes the name of each thread that starts between `begin` and `end`.

    Notes
    -----
    A thread that ended may be nowhere any more, and the system gives its number to
    another: so names are noted with the moment when their threads began. It is done
    round `threading.Thread.start`, which has to wait for the new thread in any case; a
    profile function of `threading` would make the interpreter prepare all code anew.
    """

    def __init__(self) -> None:
        self.before = names_now()
        self._noted: dict[int, list[tuple[int, str]]] = {}
        self._start = threading.Thread.start
        self._noting: Callable[[threading.Thread], None] | None = None

    def begin(self) -> None:
        """Take note from now on."""
        original = self._start = threading.Thread.start

        @functools.wraps(original)
        def start(thread: threading.Thread) -> None:
            began = monotonic_ns()
            original(thread)
            self._noted.setdefault(thread.ident or 0, []).append((began, thread.name))

        self._noting = start
        threading.Thread.start = start  # type: ignore[method-assign, assignment]

    def end(self) -> None:
        """Take no more notes."""
        # Somebody may have put a function of theirs round ours: then it stays, and
        # takes notes that nobody reads.
        if threading.Thread.start is self._noting:
            threading.Thread.start = self._start  # type: ignore[method-assign]

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Take note from `begin` to `end`."""
        try:
            self.begin()
            yield
        finally:
            self.end()

    def given(self, threads: Sequence[Thread]) -> list[Thread]:
        """Give the trees of threads, in the order in which they began, their names."""
        found = list(threads)
        for ident, noted in self._noted.items():
            places = [at for at, each in enumerate(threads) if each.ident == ident]
            if ident in self.before:
                # The first may be the thread that had the number before, or not.
                places = places[-len(noted) :]
            if len(places) == len(noted):
                for at, (_, name) in zip(places, noted, strict=True):
                    found[at] = replace(threads[at], name=name)
        return found

    def sure(self) -> dict[int, str]:
        """Name the threads whose number no other thread had meanwhile, as far as is known."""
        return {
            ident: noted[0][1]
            for ident, noted in self._noted.items()
            if len(noted) == 1 and ident not in self.before
        }

    def of(self, ident: int, met_ns: int) -> str | None:
        """Name the thread that had a number when it was met, CLOCK_MONOTONIC."""
        began = [name for start, name in self._noted.get(ident, ()) if start <= met_ns]
        return began[-1] if began else self.before.get(ident)

    def was_there(self, ident: int, met_ns: int) -> bool:
        """Whether the thread that had a number when it was met is older than the notes."""
        noted = self._noted.get(ident, ())
        return ident in self.before and all(start > met_ns for start, _ in noted)


def names_now() -> dict[int, str]:
    """Name the threads that run Python now, also those that `threading` did not start."""
    known = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        ident: known.get(ident, f"thread {ident:#x}") for ident in sys._current_frames()
    }
