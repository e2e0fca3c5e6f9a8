"""Run a coroutine to its end from code that is not asynchronous, such as a magic."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

__all__ = ["THREAD", "run"]

T = TypeVar("T")

THREAD = "nbprobe coroutine"

# How long a cancelled coroutine may take to end before it is interrupted where it stands.
_GRACE_S = 0.2
_GLANCE_S = 0.25


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own and give what it returns.

    Parameters
    ----------
    coroutine : coroutine
        It sees a copy of the caller's context variables.

    Returns
    -------
    object
        What the coroutine returns; what it raises is raised, with its traceback.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when the coroutine has ended: it is cancelled where it awaits, and
        interrupted by a `KeyboardInterrupt` where it does not.

    Notes
    -----
    The loop runs in this thread when no other loop does. In a notebook the kernel's own
    loop is running and cannot be entered again, so there the coroutine has a thread.
    A thread is interrupted through ``PyThreadState_SetAsyncExc``, which reaches it at the
    next bytecode: within a single long call to C it has to wait for that call. A second
    Ctrl-C stops waiting for it.

    Objects that belong to the kernel's loop (its connections, its locks) cannot be awaited
    on this one.
    """
    if _loop_is_running():
        return cast("T", _Worker(coroutine).result())
    return _run_here(coroutine)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    # Not Runner.run(): its own SIGINT handler waits for the coroutine to yield.
    with asyncio.Runner() as runner:
        return runner.get_loop().run_until_complete(coroutine)


class _Worker:
    """A thread that runs one coroutine, and can be stopped."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run,
            args=(self._main,),
            name=THREAD,
            daemon=True,
        )

    def result(self) -> Any:
        try:
            self._thread.start()
            # Not for ever: a signal that arrives just before a lock is waited for does not
            # wake the waiter, and is only seen when it looks up.
            while not self._done.wait(_GLANCE_S):
                pass
        except BaseException:
            self._stop()
            raise
        self._thread.join()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None
        return self._value

    def _main(self) -> None:
        try:
            self._value = _run_here(self._tracked())
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    async def _tracked(self) -> Any:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        return await self._coroutine

    def _stop(self) -> None:
        """End the thread: cancel the coroutine, interrupt it where it does not answer."""
        try:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
            while self._thread.is_alive():
                if not self._answers():
                    self._interrupt()
                self._thread.join(_GRACE_S)
        except RuntimeError:
            self._thread.join()  # The loop is closed: the coroutine ended just now.
        except KeyboardInterrupt:
            self._interrupt()
            raise

    def _answers(self) -> bool:
        """Whether the loop gets to run what it is handed."""
        answer = threading.Event()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(answer.set)
        return answer.wait(_GRACE_S) or not self._thread.is_alive()

    def _interrupt(self) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(KeyboardInterrupt)
        )
