"""Tests of time and of threads on a machine that others use too."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")

ATTEMPTS = 10


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for what must come true: a minute and a half where it never does."""
    end = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.001)


def at_best(test: Callable[P, None]) -> Callable[P, None]:
    """Have a test of measured times hold in one of some attempts.

    What others do comes into any measurement, and on a busy machine into most of one. A
    mistake of ours is in every attempt.
    """

    @functools.wraps(test)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(Exception):
                return test(*args, **kwargs)
        return test(*args, **kwargs)

    return attempt


def spin(seconds: float) -> None:
    """Be busy for so much time of the processor, however many others want it too."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def spin_until(is_so: Callable[[], object]) -> None:
    """Be busy until something comes true: a minute and a half where it never does."""
    end = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < end, "it never came true"
        spin(0.05)
