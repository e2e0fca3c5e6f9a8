"""Run a piece of user code under a recording, in the names that it should see."""

from __future__ import annotations

import ast
from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from .. import awaiting
from ..code import Code, free_names
from . import Profile
from .result import ProfileResult

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["profile"]


def profile(
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    builtins: bool = True,
    sort: tuple[str, ...] = ("tottime",),
    limits: tuple[str, ...] = (),
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
    sort, limits : tuple of str
        How the table is sorted and cut.
    on_partial : callable, optional
        Called with what was recorded when an exception ends the code, before that is
        passed on.
    """
    recording = Profile(builtins=builtins)
    run = _runner(recording, code, globals, locals)

    def result(*, interrupted: bool) -> ProfileResult:
        return recording.result(
            code.source,
            sort=sort,
            limits=limits,
            interrupted=interrupted,
            wall_ns=end - start,
        )

    start = end = perf_counter_ns()
    try:
        run()
    except BaseException:
        end = perf_counter_ns()
        if on_partial is not None:
            on_partial(result(interrupted=True))
        raise
    end = perf_counter_ns()
    return result(interrupted=False)


def _runner(
    recording: Profile,
    code: Code,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None,
) -> Callable[[], object]:
    """Prepare everything that is not to be recorded."""
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
