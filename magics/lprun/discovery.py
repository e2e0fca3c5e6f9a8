"""Which functions to profile when none is named: those of the user that are called."""

from __future__ import annotations

import fnmatch
import gc
import sys
from collections.abc import Callable
from importlib import import_module
from types import CodeType, FrameType, FunctionType, ModuleType

from ..source import is_users

__all__ = ["functions_alive", "modules_named", "users_functions"]


def users_functions() -> list[FunctionType]:
    """Give every function alive that was defined in a cell or in a file of the user.

    But for those that run, see `functions_alive`.
    """
    is_users_file: dict[str, bool] = {}

    def is_wanted(code: CodeType) -> bool:
        file = code.co_filename
        if file not in is_users_file:
            is_users_file[file] = is_users(code)
        return is_users_file[file]

    return functions_alive(is_wanted)


def functions_alive(is_wanted: Callable[[CodeType], bool]) -> list[FunctionType]:
    """Give every function alive whose code is wanted.

    Those that are running in this thread are left out: they are what called the profiler,
    not what it is to measure.
    """
    running = set()
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        running.add(id(frame.f_code))
        frame = frame.f_back
    # By identity: equal code of two files is not the same.
    found: dict[int, FunctionType] = {}
    # Through the heap, as methods, closures and callbacks are in no module's names.
    for each in gc.get_objects():
        if type(each) is not FunctionType:
            continue
        code = each.__code__
        if is_wanted(code) and id(code) not in running:
            found.setdefault(id(code), each)
    # File by file, as each is read and parsed once then.
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
