"""Run a piece of user code under a recording, in the names that it should see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

from ..code import Code
from ..execution import runner
from . import Profile
from .result import ProfileResult

__all__ = ["profile"]


def profile(
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    builtins: bool = True,
    tasks: bool = False,
    memory: bool = False,
    sort: tuple[str, ...] = ("tottime",),
    limits: tuple[str, ...] = (),
    on_partial: Callable[[ProfileResult], None] | None = None,
) -> ProfileResult:
    """Profile code that runs once.

    Parameters
    ----------
    code : Code
        It may await.
    globals : dict
        The names that the code sees and, without `locals`, sets.
    locals : mapping, optional
        Local names of a caller: the code sees them as if it stood in that function, and
        what it sets is gone afterwards.
    builtins : bool
        Record functions in C too.
    tasks : bool
        Give each of asyncio's tasks a node of its own.
    memory : bool
        Count what every function allocates.
    sort, limits : tuple of str
        How the table is sorted and cut.
    on_partial : callable, optional
        Called with what was recorded when an exception ends the code, before that is
        passed on.
    """
    recording = Profile(builtins=builtins, tasks=tasks, memory=memory)
    run = runner(recording, code, globals=globals, locals=locals)

    def result(*, interrupted: bool) -> ProfileResult:
        return recording.result(
            code.source,
            sort=sort,
            limits=limits,
            interrupted=interrupted,
            wall_ns=end - start,
        )

    start = end = perf_counter_ns()
    try:
        run()
    except BaseException:
        end = perf_counter_ns()
        if on_partial is not None:
            on_partial(result(interrupted=True))
        raise
    end = perf_counter_ns()
    return result(interrupted=False)
