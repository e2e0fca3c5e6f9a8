"""Count lines in a child process of the one that is profiled."""

from __future__ import annotations

import builtins
import os
import sys
import threading
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from ..source import is_users
from .discovery import functions_alive
from .profiler import LineProfiler
from .result import LineResult

__all__ = ["LineRecorder", "bequeath", "options_for"]

# What a fork has inherited, until its recorder takes it over.
_inherited: LineProfiler | None = None
# The one that is told of every module that is about to run.
_current: LineRecorder | None = None
_is_hooked = False


def options_for(
    profiler: LineProfiler,
    targets: Iterable[tuple[str, str]] | None,
    *,
    as_builtin: bool = False,
) -> dict[str, Any]:
    """Give what `LineRecorder` is made with.

    Parameters
    ----------
    profiler : LineProfiler
        That of this process.
    targets : iterable of (str, str), optional
        What to measure: a file, or a folder that ends in a slash, and in it the qualified
        name of a function or class, or ``''`` for all. Without: all that is the user's.
    as_builtin : bool
        Programs know the profiler as ``profile``, and decorate with it.
    """
    profiler.recording.calibrate()
    return {
        "memory": profiler.recording.engine.memory,
        "costs": profiler.recording.engine.costs,
        "targets": None if targets is None else sorted(set(targets)),
        "as_builtin": as_builtin,
    }


def bequeath(profiler: LineProfiler) -> Callable[[], object]:
    """In a fork: leave the profiler, whose probes are in the code, to the recorder here.

    Returns
    -------
    callable
        Takes the probes out; for when there will be no recorder.
    """
    global _inherited
    _inherited = profiler
    return profiler.disable


class LineRecorder:
    """A `LineProfiler` with the options of the parent's.

    In a fork it is the parent's own, counting from zero. In a process that begins with an
    interpreter of its own functions get their probes as their modules are run.

    Parameters
    ----------
    options : dict
        Of `options_for`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        global _inherited
        self._is_heir = _inherited is not None
        self._profiler = _inherited or LineProfiler(memory=bool(options["memory"]))
        _inherited = None
        self._costs = tuple(options["costs"])
        self._targets = options["targets"]
        self._as_builtin = bool(options["as_builtin"])
        self._problems: list[str] = []
        # Modules are imported while a snapshot is taken.
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to count."""
        global _current
        if self._is_heir:
            self._profiler.start_afresh()
        else:
            self._start()
        _current = self

    def _start(self) -> None:
        global _is_hooked
        recording = self._profiler.recording
        recording.engine.costs = self._costs
        for function in functions_alive(self._is_wanted):
            recording.add(function)
        self._profiler.enable_by_count()
        if self._as_builtin:
            from .explicit import install

            install(self._profiler)
            builtins.profile = self._profiler  # type: ignore[attr-defined]
        if not _is_hooked:
            # Nothing else hears of a script before it runs. There is no way to remove it.
            _is_hooked = True
            sys.addaudithook(_on_audit)

    def stop(self) -> None:
        """Count no more; the result stays."""
        self._profiler.pause()

    def close(self) -> None:
        """Take the probes out."""
        global _current
        _current = None
        with self._lock:
            self._profiler.enable_count = 0
            self._profiler.disable()

    def abandon(self) -> Callable[[], object]:
        """In a fork: leave it to the next recorder; see `bequeath`."""
        return bequeath(self._profiler)

    def result(self, ignored_threads: frozenset[int]) -> LineResult:
        """Give what was counted so far; our own threads run no code that is measured."""
        with self._lock:
            return self._profiler.result(only_hit=True, problems=tuple(self._problems))

    def prepare(self, code: CodeType) -> None:
        """Have a module that is about to run define its functions with probes."""
        try:
            with self._lock:
                self._profiler.recording.prepare(code, self._is_wanted)
        # The user's module runs in any case, without probes then.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._problems.append(f"{code.co_filename}: {reason}")

    def _is_wanted(self, code: CodeType) -> bool:
        if self._targets is None:
            # What programs make has no text to show, but where a -c or a notebook has.
            return not code.co_filename.startswith("<") and is_users(code)
        file = os.path.realpath(code.co_filename)
        return any(
            (file == path or (path.endswith(os.sep) and file.startswith(path)))
            and (not name or f"{code.co_qualname}.".startswith(f"{name}."))
            for path, name in self._targets
        )


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "exec" or _current is None:
        return
    (code,) = arguments
    if not isinstance(code, CodeType) or code.co_name != "<module>":
        return
    _current.prepare(code)
