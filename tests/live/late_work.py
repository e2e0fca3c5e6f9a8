"""Work in a module that is imported only where it is done."""

from __future__ import annotations


def late(count: int) -> int:
    total = 0
    for number in range(count):
        total += number
    return total


AT_IMPORT = late(3)
