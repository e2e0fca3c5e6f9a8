"""`profile`, `LineProfiler` and `show_results`, with memory_profiler's interface."""

from __future__ import annotations

import functools
import inspect
import linecache
import pdb
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import CodeType, FrameType
from typing import IO, Any, Self

from .._core import resident
from ..source import functions_in
from .lines import FunctionMemory, LineMemory, MemoryRecording, line_memory
from .recording import MIB
from .watch import reader

__all__ = ["LineProfiler", "profile", "show_results"]

_Figures = tuple[float, float, int]


class LineProfiler:
    """Measures the lines of functions, with the interface of memory_profiler's.

    Parameters
    ----------
    include_children, backend : bool, str
        Accepted for memory_profiler's sake: what a line allocates is counted in this
        process, exactly, and not read from the system.
    max_mem : float, optional
        MiB of resident memory; a line of the functions that begins with more steps into
        the debugger. Nothing is measured then.

    Notes
    -----
    Notebook functions, coroutines, generators, threads and recursion are measured. A
    line's increment is what it allocated less what it freed, exactly; *Mem usage* is what
    was resident as it ended, at the most. The first line of a function has what was
    resident when the profiler was switched on.

    See Also
    --------
    nbprobe.lprun.LineProfiler : time by line.

    Examples
    --------
    >>> profiler = LineProfiler()
    >>> @profiler
    ... def make():
    ...     return bytearray(10**6)
    >>> len(make())
    1000000
    """

    def __init__(self, **kw: Any) -> None:
        known = {"include_children", "backend", "max_mem"}
        if unknown := kw.keys() - known:
            raise TypeError(f"LineProfiler has no argument {sorted(unknown)[0]!r}")
        reader(kw.get("backend"))  # so that a wrong name is told
        self.max_mem: float | None = kw.get("max_mem")
        self.enable_count = 0
        self._recording: MemoryRecording = MemoryRecording()
        self._codes: set[CodeType] = set()
        self._traced: Any = None

    def __call__(
        self, func: Callable[..., Any] | None = None, precision: int = 1
    ) -> Any:
        """Give a function that is measured: a decorator, with or without arguments."""
        if func is None:
            return functools.partial(self.__call__, precision=precision)
        self.add_function(func)
        return self.wrap_function(func)

    def timestamp(self, name: str = "<block>") -> AbstractContextManager[None]:
        """Do nothing: blocks are recorded by `TimeStamper`, under the same name."""
        return nullcontext()

    def add_function(self, func: Any) -> None:
        """Measure the lines of a function."""
        functions = list(functions_in(func))
        if not functions:
            warnings.warn(
                f"Could not extract a code object for the object {func!r}", stacklevel=3
            )
        for function in functions:
            self._recording.add(function)
            self._codes.add(function.__code__)

    def wrap_function(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give a function that measures while it runs."""
        wrapped: Any
        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def wrapped(*args: Any, **kwds: Any) -> Any:
                with self:
                    return await func(*args, **kwds)

        elif inspect.isgeneratorfunction(func):

            @functools.wraps(func)
            def wrapped(*args: Any, **kwds: Any) -> Generator[Any, Any, Any]:
                with self:
                    return (yield from func(*args, **kwds))

        else:

            @functools.wraps(func)
            def wrapped(*args: Any, **kwds: Any) -> Any:
                with self:
                    return func(*args, **kwds)

        return wrapped  # type: ignore[no-any-return]

    def runctx(self, cmd: str | CodeType, globals: dict[str, Any], locals: Any) -> Self:
        """Execute a statement while measuring."""
        with self:
            exec(cmd, globals, locals)
        return self

    def enable_by_count(self) -> None:
        """Switch on, unless it is on already; as often it must be switched off."""
        if self.enable_count == 0:
            self.enable()
        self.enable_count += 1

    def disable_by_count(self) -> None:
        """Switch off, when it was switched on as often."""
        if self.enable_count > 0:
            self.enable_count -= 1
            if self.enable_count == 0:
                self.disable()

    def __enter__(self) -> Self:
        self.enable_by_count()
        return self

    def __exit__(self, *_: object) -> None:
        self.disable_by_count()

    def enable(self) -> None:
        """Switch on."""
        if self.max_mem is not None:
            self._traced = sys.gettrace()
            sys.settrace(self._watch)
            return
        self._recording.start()

    def disable(self) -> None:
        """Switch off."""
        if self.max_mem is not None:
            sys.settrace(self._traced)
            return
        self._recording.stop()

    def _watch(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code not in self._codes:
            return None
        assert self.max_mem is not None
        used = resident() / MIB
        if event == "line" and used >= self.max_mem:
            print(
                f"Current memory {used:.2f} MiB exceeded the maximum of"
                f" {self.max_mem:.2f} MiB\nStepping into the debugger "
            )
            sys.settrace(self._traced)
            # Without its own handler of Ctrl-C, which would stay.
            pdb.Pdb(nosigint=True).set_trace(frame)
            return None
        return self._watch

    def result(self) -> LineMemory:
        """Give what was measured until now."""
        return line_memory(self._recording, "")

    @property
    def code_map(self) -> _CodeMap:
        """What was measured until now, as memory_profiler has it, MiB."""
        return _CodeMap(self._recording.memory(), self._recording.start_rss)


class _CodeMap:
    """Functions with ``(increment, memory, occurrences)`` for each of their lines."""

    def __init__(self, functions: tuple[FunctionMemory, ...], start_bytes: int) -> None:
        self._functions = functions
        self._start_bytes = start_bytes

    def items(self) -> Iterator[tuple[str, Iterator[tuple[int, _Figures | None]]]]:
        """Give file and lines of each function; None for lines that did not run."""
        for function in self._functions:
            yield function.file, self._lines(function)

    def _lines(self, function: FunctionMemory) -> Iterator[tuple[int, _Figures | None]]:
        by_number = {line.number: line for line in function.lines}
        usage = function.usage(self._start_bytes)
        start = self._start_bytes / MIB
        # The head, unless the whole function is on that line.
        in_head = function.first in by_number
        if not in_head:
            yield function.first, (start, start, function.calls)
        for number in range(function.first + (not in_head), function.last + 1):
            line = by_number.get(number)
            if line is None:
                yield number, None
                continue
            yield number, (line.net_bytes / MIB, usage[number] / MIB, line.hits)


def show_results(prof: Any, stream: IO[str] | None = None, precision: int = 1) -> None:
    """Write the table of every function, as memory_profiler lays it out."""
    target = sys.stdout if stream is None else stream
    template = "{0:>6} {1:>12} {2:>12}  {3:>10}   {4:<}"
    header = template.format(
        "Line #", "Mem usage", "Increment", "Occurrences", "Line Contents"
    )
    for filename, lines in prof.code_map.items():
        target.write(f"Filename: {filename}\n\n{header}\n{'=' * len(header)}\n")
        texts = linecache.getlines(filename)
        for number, figures in lines:
            cells: tuple[Any, ...] = ("", "", "")
            if figures is not None:
                increment, memory, often = figures
                width = precision + 4
                cells = (
                    f"{memory:{width}.{precision}f} MiB",
                    f"{increment:{width}.{precision}f} MiB",
                    often,
                )
            text = texts[number - 1] if number <= len(texts) else ""
            target.write(template.format(number, *cells, text.rstrip("\n") + "\n"))
        target.write("\n\n")


def profile(
    func: Callable[..., Any] | None = None,
    stream: IO[str] | None = None,
    precision: int = 1,
    backend: str = "psutil",
) -> Any:
    """Decorate a function: each call prints its lines and what they do to memory.

    Parameters
    ----------
    func : callable
        A function, a coroutine function or a generator function.
    stream : file, optional
        Where to; by default standard output.
    precision : int
        Digits after the point.
    backend : str
        Accepted for memory_profiler's sake.

    Examples
    --------
    >>> @profile
    ... def load():
    ...     return bytearray(10**6)
    """
    if func is None:
        return functools.partial(
            profile, stream=stream, precision=precision, backend=backend
        )
    reader(backend)

    @contextmanager
    def shown() -> Iterator[None]:
        profiler = LineProfiler(backend=backend)
        profiler.add_function(func)
        try:
            with profiler:
                yield
        finally:
            show_results(profiler, stream=stream, precision=precision)

    wrapped: Any
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with shown():
                return await func(*args, **kwargs)

    elif inspect.isgeneratorfunction(func):

        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with shown():
                return (yield from func(*args, **kwargs))

    else:

        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with shown():
                return func(*args, **kwargs)

    return wrapped
