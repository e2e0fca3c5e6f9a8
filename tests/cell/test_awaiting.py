"""Coroutines are run to their end from synchronous code, and end with Ctrl-C."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nbprobe import awaiting

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def _under_a_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def outer() -> Any:
        return awaiting.run(coroutine)

    # As a kernel does it: without the SIGINT handler that asyncio.run() installs.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(outer())
    finally:
        loop.close()


both = pytest.mark.parametrize(
    "run", [awaiting.run, _under_a_loop], ids=["free", "looped"]
)


@both
def test_value_comes_back(run: Run) -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert run(work()) == 7


@both
def test_exception_comes_back_with_its_traceback(run: Run) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError) as raised:
        run(fail())
    assert traceback.extract_tb(raised.value.__traceback__)[-1].name == "fail"
    assert raised.value.__context__ is None


@both
def test_calls_nest(run: Run) -> None:
    async def inner() -> int:
        await asyncio.sleep(0)
        return 3

    async def outer() -> int:
        return int(awaiting.run(inner())) + 1

    assert run(outer()) == 4


@both
def test_context_variables_are_seen_and_not_changed(run: Run) -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)

    async def change() -> int:
        before = variable.get()
        variable.set(2)
        return before

    assert run(change()) == 1
    assert variable.get() == 1


@both
@pytest.mark.parametrize("kind", ["awaits", "never yields", "cleans up"])
def test_interrupt_ends_it_and_leaves_nothing(run: Run, kind: str) -> None:
    # GIVEN a coroutine that would not end by itself
    seen = []
    started = threading.Event()

    async def work() -> None:
        started.set()
        try:
            while True:
                if kind != "never yields":
                    await asyncio.sleep(30)
        except BaseException as error:
            seen.append(type(error))
            raise
        finally:
            if kind == "cleans up":
                await asyncio.sleep(0.3)
                seen.append("cleaned")

    def interrupt() -> None:
        started.wait()
        # The loop lets go of the interpreter just before it waits for events. A signal
        # in between is seen by asyncio's own runner when the wait is over.
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threads = set(threading.enumerate())
    killer = threading.Thread(target=interrupt)
    # WHEN Ctrl-C comes
    with pytest.raises(KeyboardInterrupt):
        killer.start()
        run(work())
    killer.join()
    # THEN the coroutine was ended where it stood, with its own cleaning up
    expected: list[object] = [
        KeyboardInterrupt if kind == "never yields" else asyncio.CancelledError
    ]
    assert seen == expected + (["cleaned"] if kind == "cleans up" else [])
    assert set(threading.enumerate()) <= threads
