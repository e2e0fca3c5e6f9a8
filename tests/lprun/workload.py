"""Functions to profile, of every kind, the same for line_profiler and for ours."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator


def plain(n: int) -> int:
    total = 0
    for i in range(n):
        if i % 2:
            total += i
        else:
            total -= 1
    return total


def generator(n: int) -> Iterator[int]:
    for i in range(n):  # noqa: UP028
        yield i


def echo() -> Iterator[int]:
    got = yield 1
    try:
        while True:
            got = yield got
    except KeyError:
        yield -1
    return 7


async def coroutine(n: int) -> int:
    for _ in range(n):
        await asyncio.sleep(0)
    return n


async def async_generator(n: int) -> AsyncIterator[int]:
    for i in range(n):
        await asyncio.sleep(0)
        yield i


class Thing:
    def __init__(self) -> None:
        self._value = 1

    def method(self, n: int) -> int:
        return n + self._value

    @classmethod
    def of_class(cls, n: int) -> int:
        return n

    @staticmethod
    def static(n: int) -> int:
        return n

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        self._value = value

    @functools.cached_property
    def cached(self) -> int:
        return 5

    partial = functools.partialmethod(method, 3)

    class Inner:
        def innermost(self) -> int:
            return 1


def raises(n: int) -> None:
    if n:
        raises(n - 1)
    raise ValueError(n)


def recursive(n: int) -> int:
    if n < 2:
        return n
    return recursive(n - 1) + recursive(n - 2)
