"""Programs whose calls every profiler should count alike."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import io
import json
import re
import textwrap
from collections.abc import Callable, Iterator

PROGRAMS: list[Callable[[], object]] = []


def program(function: Callable[[], object]) -> Callable[[], object]:
    PROGRAMS.append(function)
    return function


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@program
def recursion() -> object:
    return fib(12)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


@program
def mutual_recursion() -> object:
    return even(50), odd(31)


def count_to(n: int) -> Iterator[int]:
    for number in range(n):
        yield abs(number)


@program
def generators() -> object:
    started = count_to(4)
    next(started)
    started.close()
    return sum(count_to(5)), list(count_to(3)), max(x for x in count_to(6))


def delegate() -> Iterator[int]:
    yield from count_to(3)
    yield from count_to(2)


@program
def delegation() -> object:
    return list(delegate())


def fail(depth: int) -> None:
    if depth == 0:
        raise LookupError("deep")
    fail(depth - 1)


@program
def exceptions() -> None:
    for depth in range(5):
        with contextlib.suppress(LookupError):
            fail(depth)
    for text in ("1", "x"):
        with contextlib.suppress(ValueError):
            "abc".index(text)


class Vector:
    def __init__(self, *items: float) -> None:
        self.items = list(items)

    def __add__(self, other: Vector) -> Vector:
        return Vector(*(a + b for a, b in zip(self.items, other.items, strict=True)))

    @property
    def norm(self) -> float:
        return sum(item * item for item in self.items)

    @classmethod
    def zero(cls) -> Vector:
        return cls(0, 0)


@program
def classes() -> object:
    return functools.reduce(lambda a, b: a + b, [Vector(1, 2)] * 5, Vector.zero()).norm


@program
def callbacks() -> object:
    words = "the quick brown fox jumps over the lazy dog".split()
    return sorted(words, key=lambda word: (len(word), word.upper()), reverse=True)


@program
def library() -> object:
    document = {"a": [1, 2, {"b": None}], "c": "text " * 20}
    text = json.dumps(copy.deepcopy(document), indent=2, sort_keys=True)
    re.purge()
    found = re.compile(r"(\w+)\s*:\s*(\d+|null)").findall(text)
    return textwrap.fill(text, 30), found, json.load(io.StringIO(text))


async def nap(turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


async def gather() -> list[int]:
    return await asyncio.gather(*(nap(turns) for turns in range(4)))


@program
def coroutines() -> object:
    # Driven by hand: an event loop makes calls that depend on timing.
    coroutine = nap(3)
    with contextlib.suppress(StopIteration):
        while True:
            coroutine.send(None)
    return None
