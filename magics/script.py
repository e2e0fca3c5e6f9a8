"""Run a script or a module as ``python`` does, under a tool of ours."""

from __future__ import annotations

import builtins
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType

from .errors import NbprobeError

__all__ = ["ScriptError", "report", "run"]

_MISSING = object()


class ScriptError(NbprobeError):
    """There is no such script."""


def run(arguments: Sequence[str], known: Mapping[str, object] | None = None) -> None:
    """Run a program in this process, as ``__main__``.

    Parameters
    ----------
    arguments : sequence of str
        A file that ends in ``.py``, or is there, or is found on the path; else the name of
        a module. Then what the program finds in ``sys.argv``.
    known : mapping, optional
        Names that every module knows meanwhile without importing them.

    Raises
    ------
    ScriptError
        There is no such script.
    BaseException
        Whatever the program raises, SystemExit included.
    """
    target = arguments[0]
    path = _find(target)
    before = {name: getattr(builtins, name, _MISSING) for name in known or {}}
    argv, search = sys.argv, sys.path[:]
    try:
        vars(builtins).update(known or {})
        sys.argv = list(arguments)
        if path is None:
            sys.path.insert(0, os.getcwd())
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
            runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv, sys.path[:] = argv, search
        for name, value in before.items():
            if value is _MISSING:
                delattr(builtins, name)
            else:
                setattr(builtins, name, value)


def _find(target: str) -> str | None:
    """Give the file of a script; None for the name of a module."""
    if os.path.isfile(target):
        return target
    if not target.endswith(".py"):
        if all(word.isidentifier() for word in target.split(".")):
            return None
        raise ScriptError(f"there is no script {target!a}")
    if os.path.dirname(target) == "":
        for folder in os.get_exec_path():
            path = os.path.join(folder, target)
            if os.path.isfile(path):
                return path
    raise ScriptError(f"there is no script {target!a}")


def report(error: BaseException) -> int:
    """Do with what ended a program as ``python`` does; give the exit code.

    Prints the traceback, from the program's own frames on.
    """
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    traceback.print_exception(error.with_traceback(_users(error.__traceback__)))
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _users(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of ours and of `runpy` at the beginning."""
    ours = os.path.dirname(__file__)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(ours) and file not in (runpy.__file__, "<frozen runpy>"):
            break
        trace = trace.tb_next
    return trace
