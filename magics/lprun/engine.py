"""Run a piece of user code once under a line profiler."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..code import Code
from ..execution import Runnable
from ..live.following import following
from ..prun.threadnames import ThreadNames
from .discovery import users_functions
from .merging import with_children
from .profiler import LineProfiler
from .recorder import bequeath, options_for
from .result import LineResult

if TYPE_CHECKING:
    from ..live.children import Children

__all__ = ["profile"]


def profile(
    code: Code,
    *,
    profiler: LineProfiler,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    own_lines: bool = False,
    discover: bool = False,
    children: bool = False,
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
    children : bool
        Profile them in the processes too that the code starts.
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
            # What runs the code among a caller's local names is none of the user's.
            if function is not runnable.target:
                recording.add(function)

    follower = _children_of(profiler, discover) if children else None

    def result(ended_by: str = "") -> LineResult:
        own = profiler.result(code.source, only_hit=discover, ended_by=ended_by, **view)
        return with_children(own, follower)

    names = ThreadNames()
    try:
        with (
            names.noted(),
            _as_builtin(profiler),
            following(follower, partial(bequeath, profiler)),
        ):
            profiler.enable_by_count()
            try:
                runnable.run(_replacement(profiler, runnable, own_lines))
            finally:
                profiler.enable_count = 0
                profiler.disable()
                recording.names.update(names.sure())
    except BaseException as error:
        if on_partial is not None:
            on_partial(result(type(error).__name__))
        raise
    return result()


def _children_of(profiler: LineProfiler, discover: bool) -> Children:
    """Make what follows child processes; they measure the same functions."""
    from ..live.children import Children

    targets = None
    if not discover:
        codes = profiler.recording.codes()
        targets = [(os.path.realpath(c.co_filename), c.co_qualname) for c in codes]
    return Children("lprun", options_for(profiler, targets))


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
