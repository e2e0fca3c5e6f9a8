"""The ``%prun`` and ``%%prun`` magics."""

from __future__ import annotations

import ast
import pstats
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..cell import Cell
from ..code import Code
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed
from ..output import OPTIONS, deliver
from .engine import profile
from .view import report

if TYPE_CHECKING:
    from .result import ProfileResult


def _sort_key(text: str) -> str:
    keys = pstats.Stats().get_sort_arg_defs()
    if text not in keys:
        known = ", ".join(sorted(pstats.Stats.sort_arg_dict_default))
        raise ValueError(f"one of {known}")
    return text


def _limit(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ValueError(
            "a number of lines, a share of them or a regular expression"
        ) from None
    return text


TABLE = OptionTable(
    "%prun",
    [
        Option(
            "limits",
            ("-l",),
            "Show only part of the table: N lines, a share of them when N has a decimal "
            "point, or those whose function matches a regular expression. May be given "
            "several times: each cuts what the one before left.",
            "LIMIT",
            _limit,
            repeatable=True,
        ),
        Option(
            "sort",
            ("-s",),
            "Sort by this key of pstats, such as time, cumulative, calls, name, file "
            "[default time]. May be given several times.",
            "KEY",
            _sort_key,
            repeatable=True,
        ),
        Option("stats", ("-r",), "Return the profile as pstats.Stats."),
        Option("text", ("-T",), "Write the table to the text file FILE.", "FILE"),
        Option(
            "dump",
            ("-D",),
            "Write the profile to FILE, to be read by pstats, SnakeViz and others.",
            "FILE",
        ),
        *OPTIONS,
        Option(
            "no_builtins",
            ("--no-builtins",),
            "Leave functions in C out; their time is their callers' then.",
        ),
        Option(
            "export",
            ("--export",),
            "Write the profile to FILE for another tool; its ending says which: .collapsed, "
            ".speedscope.json, .callgrind, .json (Chrome, Perfetto), .prof.",
            "FILE",
        ),
    ],
    "statement",
)

HELP = """Profile a statement: which functions it calls, and how long they take.

Usage, in line mode::

    %prun [options] statement

and in cell mode, where the first line is profiled too::

    %%prun [options] statement
    more statements...

Calls are counted exactly, in every thread. What recording a call costs is measured and
subtracted. The notebook shows who called whom as a picture, and tables; the text is the
table of pstats. Within a function the statement sees its local variables. `await` is
allowed. When the code raises or is interrupted, what ran before is shown. cProfile,
coverage and debuggers may be active.

Options::

{options}

Examples::

    In [1]: %prun -s cumulative -l 10 main()
    In [2]: stats = %prun -q -r main()
    In [3]: result = %prun -q -o main()
    In [4]: %prun --export main.speedscope.json main()
"""


@magics_class
class Prun(ToolMagics):
    """The profiling magic."""

    table = TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def prun(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> ProfileResult | pstats.Stats | None:
        """See `HELP`, which takes this one's place."""
        # IPython leaves our frame out of the user's traceback.
        __tracebackhide__ = True
        assert self.shell is not None
        options = self._options(line)
        code = Cell(self.shell, "prun", line, cell, local_ns)
        partial: list[ProfileResult] = []
        try:
            statement = self._statement(code, options, in_cell=cell is not None)
            result = profile(
                statement,
                globals=code.globals,
                locals=code.locals,
                builtins=not options.no_builtins,
                sort=options.sort or ("time",),
                limits=options.limits,
                on_partial=partial.append,
            )
        except SystemExit:
            if not partial:
                raise
            print("*** SystemExit exception caught in code being profiled.")
            (result,) = partial
        except BaseException as error:
            for result in partial:
                self._deliver(result, options)
            error.__traceback__ = code.user_traceback(error)
            raise
        return self._deliver(result, options)

    def _options(self, line: str) -> Parsed:
        try:
            options = TABLE.parse_line(line)
            if options.stats and options.output:
                raise OptionError(
                    "-r returns pstats.Stats and -o our result: choose one"
                )
        except OptionError as error:
            raise UsageError(f"%prun: {error}") from None
        return options

    def _statement(self, code: Cell, options: Parsed, *, in_cell: bool) -> Code:
        statement = code.on_line(options.rest)
        if in_cell:
            below = code.below()
            source = f"{statement.source}\n{below.source}".strip("\n")
            body = statement.tree.body + below.tree.body
            statement = Code(source, ast.Module(body, []), statement.filename)
        if not statement.tree.body:
            raise UsageError(
                "%prun: there is no statement to profile; write %prun STATEMENT, or "
                "%%prun and the statements on the lines below"
            )
        return statement

    def _deliver(
        self, result: ProfileResult, options: Parsed
    ) -> ProfileResult | pstats.Stats | None:
        """Show and return the result, and write the files that were asked for."""
        assert self.shell is not None
        delivered = deliver(self.shell, result, options)
        if options.dump:
            result.dump_stats(options.dump)
            print(f"\n*** Profile stats marshalled to file {options.dump!r}.")
        if options.text:
            table = report(result, result.sort, result.limits)
            Path(options.text).write_text(table, encoding="utf-8")
            print(f"\n*** Profile printout saved to text file {options.text!r}.")
        if options.export:
            result.export(options.export)
            print(f"\n*** Profile exported to file {options.export!r}.")
        if options.stats:
            return result.stats().strip_dirs().sort_stats(*result.sort)
        return delivered
