"""The garbage collector while statements are timed."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["collector_off"]

Callback = Callable[[str, dict[str, Any]], None]


class CollectorOff:
    """Garbage collection is off while anybody measures, in whichever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._was_on = False

    @contextmanager
    def during(self, callbacks: Sequence[Callback]) -> Iterator[None]:
        """Keep it off, and call these for the collections that there are all the same."""
        with self._lock:
            if self._users == 0:
                self._was_on = gc.isenabled()
            self._users += 1
            gc.disable()
            gc.callbacks.extend(callbacks)
        try:
            yield
        finally:
            with self._lock:
                for callback in callbacks:
                    gc.callbacks.remove(callback)
                self._users -= 1
                if self._users == 0 and self._was_on:
                    gc.enable()


collector_off = CollectorOff()
