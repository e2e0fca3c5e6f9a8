"""Run a piece of user code under a recording, in the names that it should see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ..code import Code
from ..execution import concluded, runner
from ..kernel import kernel_threads
from ..live.following import following
from . import Profile
from .merging import with_children, without_strangers
from .ours import without_ours
from .result import ProfileResult
from .threadnames import ThreadNames

if TYPE_CHECKING:
    from ..live.children import Children

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
    children: Children | None = None,
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
    children : Children, optional
        Follows the processes that the code starts, from just before to just after it.
    on_partial : callable, optional
        Called with what was recorded when an exception ends the code, before that is
        passed on.
    """
    recording = Profile(builtins=builtins, tasks=tasks, memory=memory)
    run = runner(recording, code, globals=globals, locals=locals)
    names = ThreadNames()

    def result(interrupted: bool) -> ProfileResult:
        own = recording.result(
            code.source,
            sort=sort,
            limits=limits,
            interrupted=interrupted,
            wall_ns=perf_counter_ns() - start,
        )
        threads = without_ours(own.functions, names.given(own.threads))
        own = replace(own, threads=tuple(threads))
        return with_children(_without_the_kernels(own), children)

    with names.noted(), following(children, recording.disable):
        start = perf_counter_ns()
        return concluded(run, result, on_partial)


def _without_the_kernels(result: ProfileResult) -> ProfileResult:
    """Leave out the threads that the kernel has for itself, which wait for messages."""
    kernels = {thread.ident for thread in kernel_threads()}
    left_out = [thread for thread in result.threads if thread.ident in kernels]
    threads = tuple(each for each in result.threads if each.ident not in kernels)
    names = tuple(thread.name for thread in left_out)
    return without_strangers(replace(result, threads=threads, left_out=names))
