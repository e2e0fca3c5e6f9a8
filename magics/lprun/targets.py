"""What ``-f`` and ``-m`` name: functions to profile, or in one line why there are none."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from ..source import functions_in, is_users
from .discovery import modules_named

__all__ = ["Targets"]


class Targets:
    """Functions to profile.

    Attributes
    ----------
    functions : list of FunctionType
        Those that were found.
    problems : list of str
        One line for each name that means nothing that can be profiled.
    """

    def __init__(self) -> None:
        self.functions: list[FunctionType] = []
        self.problems: list[str] = []

    @classmethod
    def named(
        cls,
        functions: Sequence[str],
        modules: Sequence[str],
        globals: dict[str, Any],
        locals: Mapping[str, Any] | None,
    ) -> Targets:
        """Find what expressions and names of modules mean.

        Parameters
        ----------
        functions : sequence of str
            Expressions that give a function, method, class, module...
        modules : sequence of str
            Names, or patterns such as ``package.*``.
        globals, locals : mapping
            The names that the expressions see.
        """
        found = cls()
        for text in functions:
            found._add_expression(text, globals, locals)
        for text in modules:
            found._add_modules(text)
        return found

    def _add_expression(
        self, text: str, globals: dict[str, Any], locals: Mapping[str, Any] | None
    ) -> None:
        try:
            value = eval(text, globals, dict(locals) if locals is not None else None)
        # An expression of the user raises what it likes.
        except Exception as error:
            self.problems.append(f"-f {text}: {_reason(error)}")
            return
        functions = [
            function
            for function in functions_in(value)
            if value is function or is_users(function.__code__) or not _wraps(value)
        ]
        if functions:
            self.functions += functions
        else:
            self.problems.append(f"-f {text}: {_what_it_is(value)}")

    def _add_modules(self, text: str) -> None:
        try:
            modules = modules_named(text)
        # Importing runs the user's code, which raises what it likes.
        except Exception as error:
            self.problems.append(f"-m {text}: {_reason(error)}")
            return
        functions = [each for module in modules for each in functions_in(module)]
        if functions:
            self.functions += functions
        elif modules:
            self.problems.append(f"-m {text}: no Python functions are defined there")
        else:
            self.problems.append(f"-m {text}: no module that is loaded has such a name")


def _wraps(value: Any) -> bool:
    return hasattr(value, "__wrapped__")


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


_NATIVE = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)


def _what_it_is(value: Any) -> str:
    if isinstance(value, _NATIVE):
        return "written in C, it has no lines to profile"
    if isinstance(value, type):
        return "a class in which no Python functions are defined"
    if isinstance(value, types.ModuleType):
        return "a module in which no Python functions are defined"
    if callable(value):
        return (
            f"a {type(value).__name__} without Python code, it has no lines to profile"
        )
    return f"no function but a {type(value).__name__}"
