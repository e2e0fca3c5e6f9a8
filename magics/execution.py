"""Run a piece of user code under a recording, in the names that it should see."""

from __future__ import annotations

import ast
from collections.abc import Callable, Coroutine, Mapping
from types import CodeType
from typing import Any, Protocol, cast

from . import awaiting
from .code import Code, free_names

__all__ = ["Recording", "runner"]


class Recording(Protocol):
    """What records while it runs something: a profile, a measurement."""

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        """Execute code."""

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        """Call a function and give what it returns."""


def runner(
    recording: Recording,
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
) -> Callable[[], object]:
    """Prepare everything about a piece of code that is not to be recorded.

    Parameters
    ----------
    recording : Recording
        What the code runs under.
    code : Code
        It may await.
    globals : dict
        The names that the code sees and, without `locals`, sets.
    locals : mapping, optional
        Local names of a caller: the code sees them as if it stood in that function, and
        what it sets is gone afterwards.

    Returns
    -------
    callable
        Runs the code, once.
    """
    if locals is None:
        compiled = _compiled(code.tree, code)
        if not code.is_async:
            return lambda: recording.runcode(compiled, globals, globals)
        coroutine = cast("Coroutine[Any, Any, object]", eval(compiled, globals))
        return lambda: recording.runcall(awaiting.run, coroutine)
    names = free_names([code], list(locals))
    values = [locals[name] for name in names]
    function = _function(code, names, globals)
    if not code.is_async:
        return lambda: recording.runcall(function, *values)
    coroutine = function(*values)
    return lambda: recording.runcall(awaiting.run, coroutine)


def _compiled(tree: ast.Module, code: Code) -> CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if code.is_async else 0
    compiled = compile(tree, code.filename, "exec", flags=flags, dont_inherit=True)
    return cast("CodeType", compiled)


def _function(
    code: Code, names: list[str], globals: dict[str, Any]
) -> Callable[..., Any]:
    """Compile the code as a function whose parameters are the caller's names.

    So that what it defines, such as a lambda, sees these names too.
    """
    kind = "async def" if code.is_async else "def"
    tree = ast.parse(f"{kind} statement({', '.join(names)}): pass")
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    if code.tree.body:
        definition.body = code.tree.body
        ast.copy_location(definition, code.tree.body[0])
    namespace: dict[str, Any] = {}
    exec(compile(tree, code.filename, "exec", dont_inherit=True), globals, namespace)
    return cast("Callable[..., Any]", namespace["statement"])
