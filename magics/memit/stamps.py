"""When functions ran, and how much memory there was: memory_profiler's `TimeStamper`."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import IO, Any, TypeVar

from .processes import of_tree
from .recording import MIB, Span, span_line
from .watch import reader

__all__ = ["TimeStamper"]

F = TypeVar("F", bound=Callable[..., Any])


class TimeStamper:
    """Records when functions and blocks begin and end, with the memory at both times.

    Parameters
    ----------
    backend : str, optional
        What is counted, by memory_profiler's names.
    include_children : bool
        Add the memory of the processes that were started.

    Attributes
    ----------
    functions : dict
        For each function the pairs ``((MiB, seconds), (MiB, seconds))`` of its runs.
    stack : dict
        For each function the depths of its runs.

    Notes
    -----
    Coroutines and generators are followed to their end. Depths are counted by thread and
    by task. A run that an exception ends has an end too.

    Examples
    --------
    >>> stamps = TimeStamper()
    >>> with stamps.timestamp("block"):
    ...     data = bytes(10)
    >>> [len(runs) for runs in stamps.functions.values()]
    [1]
    """

    def __init__(
        self, backend: str | None = None, include_children: bool = False
    ) -> None:
        if include_children and backend is None:
            backend = "psutil_pss"
        self.backend = backend or "psutil"
        self.include_children = include_children
        self.functions: dict[Any, list[list[tuple[float, float]]]] = {}
        self.stack: dict[Any, list[int]] = {}
        self._read = reader(backend)
        self._level: ContextVar[int] = ContextVar("level", default=-1)

    @property
    def current_stack_level(self) -> int:
        """The depth of what runs in this thread or task; -1 when nothing does."""
        return self._level.get()

    def __call__(
        self, func: Callable[..., Any] | None = None, precision: int | None = None
    ) -> Any:
        """Give a function that is recorded: a decorator, with or without arguments."""
        if func is None:
            return functools.partial(self.__call__, precision=precision)
        if not callable(func):
            raise ValueError("Value must be callable")
        self.add_function(func)
        return self.wrap_function(func)

    def add_function(self, func: Any) -> None:
        """Make room for the runs of a function."""
        self.functions.setdefault(func, [])
        self.stack.setdefault(func, [])

    def wrap_function(self, func: F) -> F:
        """Give a function that records its runs."""
        wrapped: Any

        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def wrapped(*args: Any, **kwds: Any) -> Any:
                with self._run(func):
                    return await func(*args, **kwds)

        elif inspect.isgeneratorfunction(func):

            @functools.wraps(func)
            def wrapped(*args: Any, **kwds: Any) -> Generator[Any, Any, Any]:
                with self._run(func):
                    return (yield from func(*args, **kwds))

        else:

            @functools.wraps(func)
            def wrapped(*args: Any, **kwds: Any) -> Any:
                with self._run(func):
                    return func(*args, **kwds)

        return wrapped  # type: ignore[no-any-return]

    def timestamp(self, name: str = "<block>") -> AbstractContextManager[None]:
        """Record a block of code under a name."""
        block = _Block(name)
        self.add_function(block)
        return self._run(block)

    @contextmanager
    def _run(self, func: Any) -> Iterator[None]:
        level = self._level.get() + 1
        run = [self._now()]
        self.functions[func].append(run)
        self.stack[func].append(level)
        self._level.set(level)
        try:
            yield
        finally:
            # Not reset(token): a generator may be ended in another context.
            self._level.set(level - 1)
            run.append(self._now())

    def _now(self) -> tuple[float, float]:
        pid = os.getpid()
        used = of_tree(pid, self._read) if self.include_children else self._read(pid)
        return used / MIB, time.time()

    def spans(self) -> Iterator[Span]:
        """Give the runs; one that has not ended yet ends now."""
        for func, runs in self.functions.items():
            module = getattr(func, "__module__", "")
            name = f"{module}.{getattr(func, '__name__', repr(func))}"
            for run, level in zip(runs, self.stack[func], strict=True):
                start, end = run if len(run) == 2 else (run[0], self._now())
                yield Span(name, *start, *end, level)

    def show_results(self, stream: IO[str] | None = None) -> None:
        """Write the ``FUNC`` lines of a ``.dat`` file."""
        target = sys.stdout if stream is None else stream
        for span in self.spans():
            target.write(span_line(span))


class _Block:
    """Stands for a block of code among the functions."""

    __module__ = ""

    def __init__(self, name: str) -> None:
        self.__name__ = name
