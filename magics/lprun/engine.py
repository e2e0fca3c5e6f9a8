"""Run a piece of user code once under a line profiler."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

from ..code import Code
from ..execution import Runnable
from .discovery import users_functions
from .profiler import LineProfiler
from .result import LineResult

__all__ = ["profile"]


def profile(
    code: Code,
    *,
    profiler: LineProfiler,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    own_lines: bool = False,
    discover: bool = False,
    on_partial: Callable[[LineResult], None] | None = None,
    **view: Any,
) -> LineResult:
    """Profile code that runs once.

    Parameters
    ----------
    code : Code
        It may await.
    profiler : LineProfiler
        With the functions that were named; the code sees it as the built-in ``profile``,
        as line_profiler has it.
    globals : dict
        The names that the code sees and, without `locals`, sets.
    locals : mapping, optional
        Local names of a caller; see `Runnable`.
    own_lines : bool
        Profile the lines of the code itself too.
    discover : bool
        Profile the functions of the user that it calls too.
    on_partial : callable, optional
        Called with what was measured when an exception ends the code, before that is
        passed on.
    **view
        How the result is shown; see `LineProfiler.result`.
    """
    runnable = Runnable.compile(code, globals, locals)
    recording = profiler.recording
    if own_lines:
        recording.add(runnable.target)
    if discover:
        for function in users_functions():
            recording.add(function)

    def result(ended_by: str = "") -> LineResult:
        return profiler.result(
            code.source, only_hit=discover, ended_by=ended_by, **view
        )

    try:
        with _as_builtin(profiler):
            profiler.enable_by_count()
            try:
                runnable.run(_replacement(profiler, runnable, own_lines))
            finally:
                profiler.enable_count = 0
                profiler.disable()
    except BaseException as error:
        if on_partial is not None:
            on_partial(result(type(error).__name__))
        raise
    return result()


def _replacement(
    profiler: LineProfiler, runnable: Runnable, own_lines: bool
) -> CodeType | None:
    if not own_lines or not isinstance(runnable.target, CodeType):
        return None
    return profiler.recording.engine.replacement(runnable.target)


@contextmanager
def _as_builtin(profiler: LineProfiler) -> Iterator[None]:
    """Have the code find the profiler as ``profile``, where it has none of that name."""
    missing = object()
    before = getattr(builtins, "profile", missing)
    builtins.profile = profiler  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if before is missing:
            del builtins.profile  # type: ignore[attr-defined]
        else:
            builtins.profile = before  # type: ignore[attr-defined]
