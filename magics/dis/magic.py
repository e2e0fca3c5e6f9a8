"""The ``%dis`` and ``%%dis`` magics."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..cell import Cell
from ..code import Code
from ..execution import runner
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable
from ..output import OPTIONS, deliver
from ..runs import runs_of
from . import disassemble
from .options import CACHES, DEPTH, OFFSETS, whole
from .result import Disassembly

__all__ = ["Dis"]


TABLE = OptionTable(
    "%dis",
    [
        CACHES,
        OFFSETS,
        DEPTH,
        Option(
            "warm",
            ("--warm",),
            'Run the statement in quotes before, such as "f(1)", --times times.',
            "STATEMENT",
        ),
        Option(
            "times",
            ("--times",),
            "How often to run the statement of --warm [default 100].",
            "N",
            whole,
            100,
        ),
        *OPTIONS,
    ],
    "function",
)

HELP = """Show a function's bytecode beside its source, and what was specialised.

Usage, in line mode::

    %dis [options] function

in cell mode, where the cell runs once before, to warm the function up::

    %%dis [options] function
    statements...

and without a function, for the bytecode of the cell itself, which is not run::

    %%dis [options]
    statements...

CPython replaces instructions by faster ones for the types that it meets. What stands there
now is shown beside what the compiler wrote; an instruction that could be replaced and is
not, after it ran often, met too many types. Lines have heat when the function was profiled
before in this session, by line with %lprun or %prun --sample.

Options::

{options}

Examples::

    In [1]: %dis parse
    In [2]: %dis --warm "parse(text)" -C parse
    In [3]: result = %dis -q -o parse
"""


class _Plain:
    """Runs code under nothing."""

    def runcode(
        self, code: Any, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        exec(code, globals, locals)
        return None

    def runcall(self, func: Any, /, *args: Any) -> object:
        return func(*args)


@magics_class
class Dis(ToolMagics):
    """The magic of bytecode."""

    table = TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def dis(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> Disassembly | None:
        """See `HELP`, which takes this one's place."""
        __tracebackhide__ = True
        assert self.shell is not None
        try:
            options = TABLE.parse_line(line)
        except OptionError as error:
            raise UsageError(f"%dis: {error}") from None
        if not options.rest.strip() and cell is None:
            raise UsageError(
                "%dis: which function? write %dis NAME, or %%dis and code below"
            )
        code = Cell(self.shell, "dis", line, cell, local_ns)
        try:
            what = self._subject(code, options.rest, cell)
            if options.warm:
                statement = code.on_line(options.warm)
                for _ in range(options.times):
                    self._run(code, statement)
            if cell is not None and options.rest.strip():
                self._run(code, code.below())
        except BaseException as error:
            error.__traceback__ = code.user_traceback(error)
            raise
        try:
            found = disassemble(
                what, depth=options.depth, profiles=runs_of(self.shell).recent()
            )
        except TypeError as error:
            raise UsageError(f"%dis: {error}") from None
        result = replace(found, caches=options.caches, offsets=options.offsets)
        return deliver(self.shell, result, options)

    def _subject(self, code: Cell, rest: str, cell: str | None) -> Any:
        """Find what is to be shown: the value of the expression, or the cell's code."""
        if not rest.strip():
            return code.below().check()
        statement = code.on_line(rest)
        body = statement.tree.body
        if len(body) != 1 or not isinstance(body[0], ast.Expr):
            raise UsageError(
                "%dis: an expression that names a function is needed, such as %dis parse;"
                " statements are for %%dis"
            )
        expression = ast.Expression(body[0].value)
        names = code.globals | (code.locals or {})
        return eval(compile(expression, statement.filename, "eval"), names)

    def _run(self, code: Cell, statement: Code) -> None:
        runner(_Plain(), statement, globals=code.globals, locals=code.locals)()
