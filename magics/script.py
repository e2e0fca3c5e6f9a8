"""Run a script or a module as ``python`` does, under a tool of ours."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType, TracebackType
from typing import Any

from .errors import NbprobeError

__all__ = ["ScriptError", "find", "report", "run"]

_MISSING = object()


class ScriptError(NbprobeError):
    """There is no such script."""


def run(
    arguments: Sequence[str],
    known: Mapping[str, object] | None = None,
    *,
    module: bool = False,
    execute: Callable[[CodeType, dict[str, Any]], object] | None = None,
) -> None:
    """Run a program in this process, as ``__main__``.

    Parameters
    ----------
    arguments : sequence of str
        A file that ends in ``.py``, or is there, or is found on the path; else the name of
        a module. Then what the program finds in ``sys.argv``.
    known : mapping, optional
        Names that every module knows meanwhile without importing them.
    module : bool
        The first argument is the name of a module, whatever else has that name.
    execute : callable, optional
        Is given the program's code and names to run, for tools that want none of the
        frames that `runpy` has on the stack.

    Raises
    ------
    ScriptError
        There is no such script.
    BaseException
        Whatever the program raises, SystemExit included.
    """
    target = arguments[0]
    path = None if module else _find(target)
    before = {name: getattr(builtins, name, _MISSING) for name in known or {}}
    argv, search = sys.argv, sys.path[:]
    try:
        vars(builtins).update(known or {})
        sys.argv = list(arguments)
        if execute is not None:
            _execute(target, path, execute)
        elif path is None:
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


def _execute(
    target: str,
    path: str | None,
    execute: Callable[[CodeType, dict[str, Any]], object],
) -> None:
    """Load a program as `runpy` does, and let it be run."""
    spec: ModuleSpec | None = None
    if path is None:
        sys.path.insert(0, os.getcwd())
        try:
            # What pdb and trace use too: runpy has no public name for it.
            details = runpy._get_module_details(target)  # type: ignore[attr-defined]
        except ImportError as error:
            raise ScriptError(
                f"there is no module {target!a} to run: {error}"
            ) from None
        _, spec, code = details
        sys.argv[0] = spec.origin or target
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        with io.open_code(os.path.abspath(path)) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    main = ModuleType("__main__")
    vars(main).update(
        __builtins__=builtins,
        __file__=code.co_filename,
        __spec__=spec,
        __package__=spec.parent if spec else None,
        __loader__=spec.loader if spec else None,
    )
    before = sys.modules.get("__main__")
    sys.modules["__main__"] = main
    try:
        execute(code, vars(main))
    finally:
        if before is not None:
            sys.modules["__main__"] = before


def find(name: str) -> str | None:
    """Find a program's file: as the path says, or in a folder of the PATH."""
    if os.path.isfile(name):
        return name
    if os.path.dirname(name) == "":
        for folder in os.get_exec_path():
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    return None


def _find(target: str) -> str | None:
    """Give the file of a script; None for the name of a module."""
    if os.path.isfile(target):
        return target
    if not target.endswith(".py") and all(
        word.isidentifier() for word in target.split(".")
    ):
        return None
    path = find(target) if target.endswith(".py") else None
    if path is None:
        raise ScriptError(f"there is no script {target!a}")
    return path


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
