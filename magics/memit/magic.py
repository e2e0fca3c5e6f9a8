"""The ``%memit`` and ``%%memit`` magics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..cell import Cell
from ..execution import run_setup
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed
from ..output import OPTIONS, deliver, show
from ..runs import NAME, VS_NAME, runs_of
from .engine import Settings, measure_code
from .options import CHILDREN, INTERVAL, NATIVE, REPEAT, TIMEOUT
from .result import MemoryResult

TABLE = OptionTable(
    "%memit",
    [
        REPEAT,
        TIMEOUT,
        INTERVAL,
        CHILDREN,
        *OPTIONS,
        NATIVE,
        Option(
            "leaks",
            ("--leaks",),
            "Run the code twice, and show what each run leaves behind anew and what "
            "holds it.",
        ),
        NAME,
        VS_NAME,
    ],
    "statement",
)

HELP = """Measure what a Python statement does to memory.

Usage, in line mode::

    %memit [options] statement

and in cell mode, where the first line is setup code, executed but not measured::

    %%memit [options] setup
    statement...

The statement runs once, or as often as -r says. Two figures stand beside each other: how
much memory was resident at the most, which is the kernel's own figure and misses no peak,
however short; and what was allocated, exact to the byte. They differ where memory is asked
for and not used, or given back and used again. Below them are the lines that allocated most,
what was kept, and who called whom. `await` is allowed. Within a function the statement sees
its local variables.

Options::

{options}

Examples::

    In [1]: %memit sorted(range(1_000_000))
    In [2]: %memit --name before clean(frame)
    In [3]: %memit --vs before clean(frame)
    In [4]: %memit --leaks handle(request)
    In [5]: %%memit import numpy
       ...: total = (numpy.ones(10_000_000) * 2 + 1).sum()
"""


@magics_class
class Memit(ToolMagics):
    """The memory magic."""

    table = TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def memit(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> MemoryResult | None:
        """See `HELP`, which takes this one's place."""
        # IPython leaves our frame out of the user's traceback.
        __tracebackhide__ = True
        assert self.shell is not None
        runs = runs_of(self.shell)
        try:
            options = TABLE.parse_line(line)
            base = runs.find(options.vs, MemoryResult) if options.vs else None
        except OptionError as error:
            raise UsageError(f"%memit: {error}") from None
        code = Cell(self.shell, "memit", line, cell, local_ns)
        partial: list[MemoryResult] = []
        try:
            result = self._measure(code, options, partial, in_cell=cell is not None)
        except BaseException as error:
            for result in partial:
                deliver(self.shell, result, options)
            error.__traceback__ = code.user_traceback(error)
            raise
        delivered = deliver(self.shell, result, options)
        if options.name:
            base = runs.keep(options.name, result) or base
        if base is not None and not options.quiet:
            show(self.shell, base.diff(result))
        return delivered

    def _measure(
        self,
        code: Cell,
        options: Parsed,
        partial: list[MemoryResult],
        *,
        in_cell: bool,
    ) -> MemoryResult:
        first_line = code.on_line(options.rest)
        statement = code.below() if in_cell else first_line
        if not statement.tree.body:
            raise UsageError(
                "%memit: there is no statement to measure; write %memit STATEMENT, or "
                "%%memit and the statements on the lines below"
            )
        if in_cell:
            run_setup(first_line, globals=code.globals, locals=code.locals)
        return measure_code(
            statement,
            globals=code.globals,
            locals=code.locals,
            settings=Settings(
                repeat=options.repeat,
                timeout_s=options.timeout,
                interval_s=options.interval,
                children=options.children,
                native=options.native,
                leaks=options.leaks,
            ),
            setup=first_line.source if in_cell else "",
            on_partial=partial.append,
        )
