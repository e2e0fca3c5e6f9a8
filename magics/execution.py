"""Run a piece of user code under a recording, in the names that it should see."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Protocol, TypeVar, cast

from . import awaiting
from .code import Code, free_names

__all__ = ["Recording", "Runnable", "concluded", "run_setup", "runner"]

_ResultT = TypeVar("_ResultT")


class Recording(Protocol):
    """What records while it runs something: a profile, a measurement."""

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        """Execute code."""

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        """Call a function and give what it returns."""


def run_setup(
    code: Code, *, globals: dict[str, Any], locals: dict[str, Any] | None
) -> None:
    """Run code that is not recorded, such as a setup line.

    Parameters
    ----------
    code : Code
    globals : dict
        Where it sets names, without `locals`.
    locals : dict or None
        Local names of a caller; what the code sets is added to them.
    """
    runnable = Runnable.compile(code, globals, None)
    if locals is None or runnable.is_async:
        runnable.run()
    else:
        exec(cast("CodeType", runnable.target), globals, locals)


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
    runnable = Runnable.compile(code, globals, locals)
    if runnable.is_async:
        coroutine = runnable.begin()
        return lambda: recording.runcall(awaiting.run, coroutine)
    if isinstance(runnable.target, FunctionType):
        function = runnable.target
        return lambda: recording.runcall(function, *runnable.values)
    target = runnable.target
    return lambda: recording.runcode(target, globals, globals)


def concluded(
    run: Callable[[], object],
    result: Callable[[bool], _ResultT],
    on_partial: Callable[[_ResultT], None] | None,
    refusal: type[BaseException] | tuple[()] = (),
) -> _ResultT:
    """Run what `runner` prepared, and give the result, whatever happens.

    Parameters
    ----------
    run : callable
    result : callable
        Makes the result; told whether an exception ended the code.
    on_partial : callable or None
        Given the result of the part that ran, before an exception is passed on.
    refusal : type of exception, optional
        With which the recording says that it runs nothing: there is no such part then.
    """
    try:
        run()
    except refusal:
        raise
    except BaseException:
        if on_partial is not None:
            on_partial(result(True))
        raise
    return result(False)


@dataclass(frozen=True, slots=True)
class Runnable:
    """A piece of user code, compiled.

    Attributes
    ----------
    target : CodeType or FunctionType
        What runs: the code of a module, or a function when there are local names.
    values : tuple
        Arguments of the function: the caller's local names.
    globals : dict
        The names that the code sees and, as a module, sets.
    is_async : bool
        Whether it awaits.
    """

    target: CodeType | FunctionType
    values: tuple[Any, ...]
    globals: dict[str, Any]
    is_async: bool

    @classmethod
    def compile(
        cls, code: Code, globals: dict[str, Any], locals: Mapping[str, Any] | None
    ) -> Runnable:
        """Compile code.

        Parameters
        ----------
        code : Code
            It may await.
        globals : dict
            The names that the code sees and, without `locals`, sets.
        locals : mapping or None
            Local names of a caller: the code sees them as if it stood in that function,
            and what it sets is gone afterwards.
        """
        is_async = code.is_async
        if locals is None:
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if is_async else 0
            compiled = compile(
                code.tree, code.filename, "exec", flags=flags, dont_inherit=True
            )
            return cls(cast("CodeType", compiled), (), globals, is_async)
        names = free_names([code], list(locals))
        values = tuple(locals[name] for name in names)
        return cls(_function(code, names, globals, is_async), values, globals, is_async)

    def begin(self, replacement: CodeType | None = None) -> Any:
        """Run it; where it awaits, give the coroutine that does.

        Parameters
        ----------
        replacement : CodeType, optional
            To run instead of the code of the module, as if it were that.
        """
        if isinstance(self.target, FunctionType):
            return self.target(*self.values)
        return eval(replacement or self.target, self.globals)

    def run(self, replacement: CodeType | None = None) -> None:
        """Run it, to the end of what it awaits; as `begin` does."""
        returned = self.begin(replacement)
        if self.is_async:
            awaiting.run(returned)


def _function(
    code: Code, names: list[str], globals: dict[str, Any], is_async: bool
) -> FunctionType:
    """Compile the code as a function whose parameters are the caller's names.

    So that what it defines, such as a lambda, sees these names too.
    """
    kind = "async def" if is_async else "def"
    tree = ast.parse(f"{kind} statement({', '.join(names)}): pass")
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    if code.tree.body:
        definition.body = code.tree.body
        ast.copy_location(definition, code.tree.body[0])
    namespace: dict[str, Any] = {}
    exec(compile(tree, code.filename, "exec", dont_inherit=True), globals, namespace)
    return cast("FunctionType", cast("Callable[..., Any]", namespace["statement"]))
