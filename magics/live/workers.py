"""Profile the tasks of dask's workers: each counts by itself, and answers once at the end.

Only what distributed documents is used: `Client.run` at the beginning and at the end.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from .. import _core
from ..errors import EnginesError, MissingPackageError
from ..prun.merging import together
from ..prun.result import ProfileResult
from .children import Gathered
from .reply import Replies

__all__ = ["WorkersProfile", "profile_workers"]


class WorkersProfile:
    """What `profile_workers` gives: the profile, once its block has ended."""

    def __init__(self) -> None:
        self._gathered: Gathered | None = None
        self._wall_ns = 0
        self._result: ProfileResult | None = None

    def _end(self, gathered: Gathered, wall_ns: int) -> None:
        self._gathered = gathered
        self._wall_ns = wall_ns

    @property
    def result(self) -> ProfileResult:
        """The tasks of all workers; its `by_process` has the part of each.

        Raises
        ------
        EnginesError
            Asked for before the end, or no worker gave a result, saying why not.
        """
        if self._gathered is None:
            raise EnginesError(
                "the profile has not ended: leave the `with` block first"
            )
        if self._result is None:
            if not self._gathered.results:
                reasons = (f"{p.name}: {p.note}" for p in self._gathered.processes)
                raise EnginesError(f"no worker gave a result; {'; '.join(reasons)}")
            self._result = together(self._gathered, "", self._wall_ns)
        return self._result


@contextmanager
def profile_workers(
    client: Any, *, builtins: bool = True, memory: bool = False
) -> Iterator[WorkersProfile]:
    """Profile the tasks that the workers of a client run during a block.

    Parameters
    ----------
    client : distributed.Client
        Not an asynchronous one.
    builtins : bool
        Record functions in C too.
    memory : bool
        Count what each function allocates.

    Yields
    ------
    WorkersProfile
        Its `result` is there when the block has ended, however it does.

    Raises
    ------
    MissingPackageError
        distributed is not installed.

    Notes
    -----
    A worker's profile begins with its tasks; what dask does around them, and its own
    threads, are left out. Coroutines that run as tasks are on the thread of the worker's
    loop, and left out with it.

    Examples
    --------
    >>> with nbprobe.live.profile_workers(client) as profile:  # doctest: +SKIP
    ...     client.gather(client.map(work, range(100)))
    >>> profile.result  # doctest: +SKIP
    """
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise MissingPackageError(
            "distributed is not installed; pip install 'nbprobe[dask]'"
        ) from None
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise TypeError("a client of dask that is not asynchronous is needed")
    session = secrets.randbits(63)
    options = {"builtins": builtins, "memory": memory}
    profile = WorkersProfile()
    started = client.run(_beginner(_core.__version__, session, options))
    start_ns = perf_counter_ns()
    try:
        yield profile
    finally:
        wall_ns = perf_counter_ns() - start_ns
        replies = client.run(_ender(session), on_error="return")
        profile._end(_gathered(started, replies, session), wall_ns)


# What runs on a worker is sent as code, because nbprobe may be missing there: functions
# within functions are, and refer to nothing of this module.


def _beginner(
    wanted: str, session: int, options: dict[str, bool]
) -> Callable[[Any], tuple[str, str]]:
    def begin(dask_worker):  # type: ignore[no-untyped-def]
        from importlib import import_module

        name = f"worker {dask_worker.name}"
        try:
            version = import_module("nbprobe._core").__version__
        except ImportError as error:
            note = f"nbprobe is not installed there ({error})"
            return name, f"{note}; pip install nbprobe=={wanted}"
        if version != wanted:
            note = f"nbprobe {version} there, {wanted} here"
            return name, f"{note}; pip install nbprobe=={wanted}"
        import_module("nbprobe.live.worker").begin(session, name, options)
        return name, ""

    return begin


def _ender(session: int) -> Callable[[Any], tuple[str, Any]]:
    def end(dask_worker):  # type: ignore[no-untyped-def]
        import sys

        name = f"worker {dask_worker.name}"
        module = sys.modules.get("nbprobe.live.worker")
        if module is None:
            return name, "joined when the profile had begun"
        return name, module.end(session, name)

    return end


def _gathered(
    started: dict[str, tuple[str, str]], replies: dict[str, Any], session: int
) -> Gathered:
    """Put together what the workers answered, at the beginning and at the end."""
    answered = Replies(session, "worker")
    names = {address: name for address, (name, _) in started.items()}
    names |= {
        address: reply[0]
        for address, reply in replies.items()
        if isinstance(reply, tuple)
    }
    # A worker that was started again has the name of the one that died.
    counts = Counter(names.values())
    for address, name in names.items():
        label = name if counts[name] == 1 else f"{name} at {address}"
        reply = replies.get(address)
        refused = started.get(address, ("", ""))[1]
        # Without an answer it was gone before the question, with a broken connection
        # (distributed's CommClosedError) just then.
        if reply is None or isinstance(reply, OSError):
            answered.absent(label, "lost", "")
        elif isinstance(reply, Exception):
            answered.absent(label, "silent", f"{type(reply).__name__}: {reply}")
        elif refused or isinstance(reply[1], str):
            answered.absent(label, "silent", refused or reply[1])
        else:
            answered.add(label, reply[1])
    return answered.gathered()
