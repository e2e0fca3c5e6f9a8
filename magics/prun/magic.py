"""The ``%prun`` and ``%%prun`` magics."""

from __future__ import annotations

import pstats
from collections.abc import Mapping
from pathlib import Path
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
from ..errors import SamplingError
from ..live.display import NO_LIVE, is_wanted, live
from ..live.magic import ENGINES, on_engines
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed, new_file
from ..output import OPTIONS, deliver, show, writing
from ..runs import NAME, VS_NAME, runs_of
from .engine import profile
from .options import (
    BUILTINS,
    CHILDREN,
    EXPORT,
    FOCUS,
    FOLD,
    HIDE,
    IGNORE,
    LIMITS,
    MEMORY,
    SAMPLE,
    SORT,
    TASKS,
    THREADS,
    check,
    children_of,
    chosen,
)
from .result import ProfileResult
from .sampling import sample
from .view_profile import report

TABLE = OptionTable(
    "%prun",
    [
        LIMITS,
        SORT,
        Option("stats", ("-r",), "Return the profile as pstats.Stats."),
        Option(
            "text", ("-T",), "Write the table to the text file FILE.", "FILE", new_file
        ),
        Option(
            "dump",
            ("-D",),
            "Write the profile to FILE, to be read by pstats, SnakeViz and others.",
            "FILE",
            new_file,
        ),
        *OPTIONS,
        THREADS,
        TASKS,
        MEMORY,
        CHILDREN,
        ENGINES,
        FOCUS,
        IGNORE,
        HIDE,
        FOLD,
        *BUILTINS,
        SAMPLE,
        NO_LIVE,
        NAME,
        VS_NAME,
        EXPORT,
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
    In [5]: %prun --hide site-packages --hide /lib/python3 main()
    In [6]: %prun --name before main()
    In [7]: %prun --vs before faster_main()
    In [8]: %prun --sample main()
    In [9]: %prun --engines main()
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
        earlier = self._earlier(options)
        if options.engines:
            whole, failure = on_engines(self.shell, "prun", line, cell, options)
            assert isinstance(whole, ProfileResult)
            delivered = self._deliver(whole, options, earlier)
            if failure is not None:
                raise failure
            return delivered
        code = Cell(self.shell, "prun", line, cell, local_ns)
        partial: list[ProfileResult] = []
        try:
            statement = self._statement(code, options)
            with live(self.shell, "%prun", wanted=is_wanted(options)):
                result = self._profile(statement, code, options, partial)
        except SamplingError as error:
            raise UsageError(f"%prun --sample: {error}; count with %prun") from None
        except SystemExit:
            if not partial:
                raise
            print("*** SystemExit exception caught in code being profiled.")
            (result,) = partial
        except BaseException as error:
            for result in partial:
                self._deliver(result, options, earlier)
            error.__traceback__ = code.user_traceback(error)
            raise
        return self._deliver(result, options, earlier)

    def _profile(
        self,
        statement: Code,
        code: Cell,
        options: Parsed,
        partial: list[ProfileResult],
    ) -> ProfileResult:
        __tracebackhide__ = True
        if options.sample is not None:
            return sample(
                statement,
                globals=code.globals,
                locals=code.locals,
                hz=options.sample,
                on_partial=partial.append,
            )
        return profile(
            statement,
            globals=code.globals,
            locals=code.locals,
            builtins=not options.no_builtins,
            tasks=options.tasks,
            memory=options.memory,
            children=children_of(options),
            on_partial=partial.append,
        )

    def _options(self, line: str) -> Parsed:
        try:
            options = TABLE.parse_line(line)
            check(options)
            if options.stats and options.output:
                raise OptionError(
                    "-r returns pstats.Stats and -o our result: choose one"
                )
            if options.engines and (options.children or options.sample is not None):
                raise OptionError(
                    "--engines counts calls, and of the engines' own processes: leave out"
                    " --children and --sample"
                )
        except OptionError as error:
            raise UsageError(f"%prun: {error}") from None
        return options

    def _earlier(self, options: Parsed) -> ProfileResult | None:
        """Find what the run is to be compared with, before it runs."""
        assert self.shell is not None
        runs = runs_of(self.shell)
        if options.vs:
            try:
                return runs.find(options.vs, ProfileResult)
            except OptionError as error:
                raise UsageError(f"%prun: {error}") from None
        return runs.get(options.name, ProfileResult) if options.name else None

    def _statement(self, code: Cell, options: Parsed) -> Code:
        statement = code.whole(options.rest)
        if not statement.tree.body:
            raise UsageError(
                "%prun: there is no statement to profile; write %prun STATEMENT, or "
                "%%prun and the statements on the lines below"
            )
        return statement

    def _deliver(
        self, result: ProfileResult, options: Parsed, earlier: ProfileResult | None
    ) -> ProfileResult | pstats.Stats | None:
        """Show and return the result, and write the files that were asked for."""
        assert self.shell is not None
        result = chosen(result, options)
        delivered = deliver(self.shell, result, options)
        if earlier is not None and not options.quiet:
            show(self.shell, chosen(earlier, options).diff(result))
        if options.name:
            runs_of(self.shell).keep(options.name, result)
        if options.dump:
            with writing("%prun", "-D", options.dump):
                result.dump_stats(options.dump)
            print(f"\n*** Profile stats marshalled to file {options.dump!r}.")
        if options.text:
            table = report(result, result.sort, result.limits)
            with writing("%prun", "-T", options.text):
                Path(options.text).write_text(table, encoding="utf-8")
            print(f"\n*** Profile printout saved to text file {options.text!r}.")
        if options.export:
            with writing("%prun", "--export", options.export):
                result.export(options.export)
            print(f"\n*** Profile exported to file {options.export!r}.")
        if options.stats:
            return result.stats().strip_dirs().sort_stats(*result.sort)
        return delivered
