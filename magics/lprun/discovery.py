"""Which functions to profile when none is named: those of the user that are called."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from types import CodeType, FrameType, FunctionType, ModuleType

from .._core import functions_by_file
from ..source import is_users_file

__all__ = ["functions_alive", "modules_named", "users_functions"]


def users_functions() -> list[FunctionType]:
    """Give every function alive that was defined in a cell or in a file of the user.

    But for those that run, see `functions_alive`.
    """
    return _idle(
        each
        for file, functions in functions_by_file().items()
        if is_users_file(file)
        for each in functions
    )


def functions_alive(is_wanted: Callable[[CodeType], bool]) -> list[FunctionType]:
    """Give every function alive whose code is wanted.

    Those that are running in this thread are left out: they are what called the profiler,
    not what it is to measure.
    """
    return _idle(
        each
        for functions in functions_by_file().values()
        for each in functions
        if is_wanted(each.__code__)
    )


def _idle(functions: Iterable[FunctionType]) -> list[FunctionType]:
    """Leave out what runs in this thread, and all but one function of each code."""
    running = set()
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        running.add(id(frame.f_code))
        frame = frame.f_back
    # By identity: equal code of two files is not the same.
    found: dict[int, FunctionType] = {}
    for each in functions:
        if id(each.__code__) not in running:
            found.setdefault(id(each.__code__), each)
    # File by file, as each is read once then.
    return sorted(
        found.values(),
        key=lambda function: (
            function.__code__.co_filename,
            function.__code__.co_firstlineno,
        ),
    )


def modules_named(name: str) -> list[ModuleType]:
    """Give the modules that a name or a pattern means.

    Parameters
    ----------
    name : str
        A module, which is imported; or a pattern such as ``pandas.core.*``, for the
        modules that are loaded.

    Raises
    ------
    Exception
        Whatever importing it raises.
    """
    if not any(letter in name for letter in "*?["):
        return [import_module(name)]
    return [
        module
        for key, module in sorted(sys.modules.items())
        if fnmatch.fnmatchcase(key, name) and isinstance(module, ModuleType)
    ]
