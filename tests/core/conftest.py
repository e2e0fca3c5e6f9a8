"""What the tests of the C core share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest


def count_blocks_left_by(use: Callable[[], object]) -> int:
    for _ in range(50):  # fills the interpreter's own caches
        use()
    least = sys.maxsize
    for _ in range(4):  # other threads may allocate as well: a leak is there each time
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(300):
            use()
        gc.collect()
        least = min(least, sys.getallocatedblocks() - before)
        if least < 20:
            break
    return least


@pytest.fixture
def blocks_left_by() -> Callable[[Callable[[], object]], int]:
    """Blocks that 300 calls leave behind: about 300 if each leaks one, else a few."""
    return count_blocks_left_by
