"""Nothing is kept that a call does not return: no memory, no file descriptor."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

import pytest

from nbprobe import _core

CALLS = 300

# What is called again and again; add a callable for each function that allocates.
LEAK_FREE: dict[str, Callable[[], object]] = {
    "build_config": _core.build_config,
}

counts_blocks = pytest.mark.skipif(
    sys.getallocatedblocks() == 0,
    reason="no blocks are counted with PYTHONMALLOC=malloc",
)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


def growth(call: Callable[[], object], calls: int = CALLS) -> tuple[int, int]:
    """Memory blocks and file descriptors that `calls` calls leave behind.

    The least of three rounds: caches of the interpreter fill up once, a leak every time.
    """
    for _ in range(10):
        call()
    rounds = []
    for _ in range(3):
        gc.collect()
        blocks, files = sys.getallocatedblocks(), open_files()
        for _ in range(calls):
            call()
        gc.collect()
        rounds.append((sys.getallocatedblocks() - blocks, open_files() - files))
    return min(r[0] for r in rounds), min(r[1] for r in rounds)


@counts_blocks
@pytest.mark.parametrize("name", LEAK_FREE)
def test_repeated_calls_leave_nothing(name: str) -> None:
    blocks, files = growth(LEAK_FREE[name])
    # One block a call would be CALLS of them; a few belong to the measurement itself.
    assert blocks < CALLS // 10, f"{blocks} blocks kept by {CALLS} calls"
    assert files <= 0, f"{files} file descriptors kept by {CALLS} calls"


@counts_blocks
def test_the_measurement_sees_a_leak() -> None:
    kept: list[object] = []
    blocks, _ = growth(lambda: kept.append(object()))
    assert blocks >= CALLS


def test_the_measurement_sees_an_open_file() -> None:
    kept: list[int] = []
    try:
        _, files = growth(
            lambda: kept.append(os.open(os.devnull, os.O_RDONLY)), calls=20
        )
    finally:
        for descriptor in kept:
            os.close(descriptor)
    assert files == 20
