"""In a worker of dask: record calls between two requests, and give the tree of the tasks."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from ..prun import Profile
from ..prun.calibration import costs
from ..prun.merging import without_strangers
from ..prun.result import Function, ProfileResult, Thread
from .reply import write

__all__ = ["begin", "end"]

# Where dask calls a task, and where it looks after one; what is above is dask's own.
_TASK = ("dask/_task_spec.py", "__call__")
_AROUND = ("distributed/worker.py", "")

_COLUMNS = (
    "function",
    "calls",
    "resumes",
    "inclusive_ns",
    "self_ns",
    "raw_inclusive_ns",
    "raw_self_ns",
    "allocated_bytes",
    "allocated_blocks",
)


class _Recording:
    """The one recording of a process; several workers may be threads of it."""

    def __init__(self, session: int, owner: str, options: dict[str, Any]) -> None:
        self.session = session
        self.owner = owner
        # By now, so that no task waits for it, nor disturbs it more than it must.
        self._costs = costs(options["builtins"])
        self._profile = Profile(builtins=options["builtins"], memory=options["memory"])
        self._old = {thread.ident for thread in threading.enumerate()}
        self._start_ns = time.perf_counter_ns()
        self._profile.enable()

    def stop(self) -> None:
        self._profile.disable()

    def result(self) -> tuple[ProfileResult, int]:
        """Give the trees of the tasks, and for how long it was on, ns."""
        wall_ns = time.perf_counter_ns() - self._start_ns
        # Most of what was recorded is in the thread of dask's loop, and not looked at.
        whole = self._profile.result(
            costs=self._costs, wall_ns=wall_ns, wanted=self._is_wanted
        )
        threads = [
            _tasks(thread, whole.functions) if _runs_tasks(thread.name) else thread
            for thread in whole.threads
        ]
        kept = replace(whole, threads=tuple(each for each in threads if len(each)))
        return without_strangers(kept), wall_ns

    def _is_wanted(self, name: str, ident: int) -> bool:
        """Whether a thread runs tasks, or a task has started it."""
        return _runs_tasks(name) or not (ident in self._old or "Dask-" in name)


_lock = threading.Lock()
_recording: _Recording | None = None


def begin(session: int, name: str, options: dict[str, Any]) -> str:
    """Record from now on; say who does so already in this process, '' for nobody."""
    global _recording
    with _lock:
        if _recording is not None and _recording.session == session:
            return _recording.owner
        if _recording is not None:
            _recording.stop()  # of a client that went away without a word
        _recording = _Recording(session, name, options)
    return ""


def end(session: int, name: str) -> bytes | str:
    """Stop, and give the reply; or say why there is none."""
    global _recording
    with _lock:
        recording = _recording
        if recording is None or recording.session != session:
            return "joined when the profile had begun"
        if recording.owner != name:
            return f"in the process of {recording.owner}"
        _recording = None
        recording.stop()
        result, wall_ns = recording.result()
    return write(session, wall_ns, result)


def _runs_tasks(name: str) -> bool:
    return "Dask-" in name and "-Threads" in name


def _tasks(thread: Thread, functions: tuple[Function, ...]) -> Thread:
    """Leave out what a thread does between and around the tasks."""
    for file, name in (_TASK, _AROUND):
        is_top = [
            function.file.replace("\\", "/").endswith(file)
            and name in ("", function.name)
            for function in functions
        ]
        kept = _below(thread, is_top)
        if len(kept):
            break
    return kept


def _below(thread: Thread, is_top: list[bool]) -> Thread:
    """Keep the outermost calls of some functions, and all that is below them."""
    number: dict[int, int] = {-1: -1}
    parents: list[int] = []
    kept: list[int] = []
    for index, (parent, function) in enumerate(
        zip(thread.parent, thread.function, strict=True)
    ):
        above = number.get(parent, -1)
        if above < 0 and not is_top[function]:
            continue
        number[index] = len(kept)
        kept.append(index)
        parents.append(above)
    taken: dict[str, Any] = {
        column: tuple(getattr(thread, column)[index] for index in kept)
        for column in _COLUMNS
        if getattr(thread, column)
    }
    return replace(thread, parent=tuple(parents), **taken)
