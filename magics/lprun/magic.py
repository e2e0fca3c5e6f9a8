"""The ``%lprun``, ``%%lprun`` and ``%%lprun_all`` magics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    cell_magic,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..cell import Cell
from ..code import Code
from ..errors import leave_out_frame
from ..live.display import NO_LIVE, is_wanted, live
from ..live.magic import ENGINES, on_engines
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed, new_file
from ..output import OPTIONS, deliver, show, writing
from ..runs import NAME, VS_NAME, runs_of
from .engine import profile
from .profiler import LineProfiler
from .result import LineResult
from .targets import Targets
from .view_lines import report

if TYPE_CHECKING:
    from .difference import LineDifference


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number from 1")
    return int(text)


TABLE = OptionTable(
    "%lprun",
    [
        Option(
            "functions",
            ("-f",),
            "Profile this function only: any expression that gives a function, a method, "
            "a class with all its methods, a module. May be given several times.",
            "FUNCTION",
            repeatable=True,
        ),
        Option(
            "modules",
            ("-m",),
            "Profile the functions that are defined in this module, or in those that are "
            "loaded and match a pattern such as 'pandas.core.*'. May be given several "
            "times.",
            "MODULE",
            repeatable=True,
        ),
        Option(
            *("dump", ("-D",), "Write the profile to the .lprof file FILE.", "FILE"),
            new_file,
        ),
        Option(
            "text", ("-T",), "Write the table to the text file FILE.", "FILE", new_file
        ),
        Option("skip_zero", ("-z",), "Leave out functions that were not called."),
        Option("strip", ("-s",), "An old name of -z."),
        Option("unit", ("-u",), "Show times in units of so many seconds.", "UNIT"),
        Option("profiler", ("-r",), "Return the LineProfiler."),
        *OPTIONS,
        Option(
            "memory",
            ("--mem",),
            "Measure memory in the same run: what each line allocates and keeps, and its "
            "peak.",
        ),
        Option(
            "children",
            ("--children",),
            "Profile the same functions in the Python processes that the code starts "
            "(multiprocessing, concurrent.futures, joblib, os.fork, subprocess), add them "
            "up, and say which could not be.",
        ),
        ENGINES,
        NO_LIVE,
        Option("threads", ("--threads",), "Show every thread by itself as well."),
        Option(
            "sort",
            ("--sort",),
            "Order the functions by this [default self when they were found, else as "
            "they were named].",
            choices=("time", "self", "hits", "name"),
            metavar="KEY",
            default="",
        ),
        Option("top", ("--top",), "Show the first N functions only.", "N", _count, 0),
        Option("top_level", ("-p",), "Profile the lines of the cell only."),
        Option(
            "store_time",
            ("-t",),
            "Store how long it took, in seconds, in the variable _total_time_taken.",
        ),
        NAME,
        VS_NAME,
    ],
    "statement",
)

HELP = """Profile a statement line by line: how often each line runs, and how long it takes.

Usage, in line mode::

    %lprun [options] statement

and in cell mode, where the lines of the cell are profiled too::

    %%lprun [options] statement
    more statements...

Without -f and -m the functions that the statement calls are profiled, as far as they were
defined in cells and in files of your own. Lines are counted exactly, in every thread; what
counting takes is measured and subtracted. Time awaited is kept apart. Within a function the
statement sees its local variables. `await` is allowed. When the code raises or is
interrupted, what ran before is shown. coverage, debuggers and other profilers may be active.

Options::

{options}

Examples::

    In [1]: %lprun main()
    In [2]: %lprun -f parse -f Table.read main()
    In [3]: %lprun -m 'package.*' --sort time --top 5 main()
    In [4]: %lprun --name before main()
    In [5]: %lprun --vs before main()
    In [6]: %lprun --engines main()
"""


@magics_class
class Lprun(ToolMagics):
    """The line-profiling magics."""

    table = TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def lprun(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> Any:
        """See `HELP`, which takes this one's place."""
        # IPython leaves our frame out of the user's traceback.
        __tracebackhide__ = True
        try:
            return self._run("lprun", line, cell, local_ns)
        except BaseException as error:
            leave_out_frame(error)
            raise

    @cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def lprun_all(
        self, line: str, cell: str, local_ns: Mapping[str, Any] | None = None
    ) -> Any:
        """Profile a cell: another name of ``%%lprun``."""
        __tracebackhide__ = True
        try:
            return self._run("lprun_all", line, cell, local_ns)
        except BaseException as error:
            leave_out_frame(error)
            raise

    def _run(
        self,
        magic: str,
        line: str,
        cell: str | None,
        local_ns: Mapping[str, Any] | None,
    ) -> Any:
        __tracebackhide__ = True
        assert self.shell is not None
        options = self._options(line)
        earlier = self._earlier(options)
        if options.engines:
            whole, failure = on_engines(self.shell, "lprun", line, cell, options)
            assert isinstance(whole, LineResult)
            delivered = self._deliver(whole, None, earlier, options)
            if failure is not None:
                raise failure
            return delivered
        code = Cell(self.shell, magic, line, cell, local_ns)
        try:
            statement = self._statement(code, options)
        except SyntaxError as error:
            error.__traceback__ = code.user_traceback(error)
            raise
        targets = self._targets(code, options)
        is_named = bool(options.functions or options.modules)
        profiler = LineProfiler(*targets.functions, memory=options.memory)
        unit, problems = _unit(options.unit)
        problems = (*targets.problems, *problems)
        partial: list[LineResult] = []
        try:
            with live(
                self.shell,
                f"%{magic}",
                wanted=is_wanted(options),
            ):
                result = profile(
                    statement,
                    profiler=profiler,
                    globals=code.globals,
                    locals=code.locals,
                    own_lines=cell is not None and not is_named,
                    discover=not is_named and not options.top_level,
                    children=options.children,
                    on_partial=partial.append,
                    unit=unit,
                    skip_zero=options.skip_zero or options.strip,
                    sort=options.sort or ("" if is_named else "self"),
                    top=options.top,
                    by_thread=options.threads,
                    problems=problems,
                )
        except SystemExit:
            if not partial:
                raise
            (result,) = partial
            delivered = self._deliver(result, profiler, earlier, options)
            print("*** SystemExit exception caught in code being profiled.")
            return delivered
        except BaseException as error:
            for result in partial:
                self._deliver(result, profiler, earlier, options)
            error.__traceback__ = code.user_traceback(error)
            raise
        return self._deliver(result, profiler, earlier, options)

    def _options(self, line: str) -> Parsed:
        try:
            options = TABLE.parse_line(line)
            if options.profiler and options.output:
                raise OptionError(
                    "-r returns the LineProfiler and -o our result: choose one"
                )
            if options.engines and (options.children or options.profiler):
                raise OptionError(
                    "--engines counts the lines of the engines' own processes: leave out"
                    " --children and -r"
                )
        except OptionError as error:
            raise UsageError(f"%lprun: {error}") from None
        return options

    def _earlier(self, options: Parsed) -> LineResult | None:
        """Find the run to compare with before anything is run."""
        assert self.shell is not None
        if not options.vs:
            return None
        try:
            return runs_of(self.shell).find(options.vs, LineResult)
        except OptionError as error:
            raise UsageError(f"%lprun: {error}") from None

    def _statement(self, code: Cell, options: Parsed) -> Code:
        statement = code.whole(options.rest)
        if not statement.tree.body:
            raise UsageError(
                "%lprun: there is no statement to profile; write %lprun STATEMENT, or "
                "%%lprun and the statements on the lines below"
            )
        return statement

    def _targets(self, code: Cell, options: Parsed) -> Targets:
        targets = Targets.named(
            options.functions, options.modules, code.globals, code.locals
        )
        if targets.problems and not targets.functions:
            raise UsageError("\n".join(f"%lprun: {each}" for each in targets.problems))
        return targets

    def _deliver(
        self,
        result: LineResult,
        profiler: LineProfiler | None,
        earlier: LineResult | None,
        options: Parsed,
    ) -> Any:
        """Show, keep and return the result, and write the files that were asked for."""
        assert self.shell is not None
        delivered = deliver(self.shell, result, options)
        if options.name:
            before = runs_of(self.shell).keep(options.name, result)
            earlier = earlier or before
        if earlier is not None and not options.quiet:
            difference: LineDifference = earlier.diff(result)
            show(self.shell, difference)
        if options.store_time:
            self.shell.user_ns["_total_time_taken"] = result.wall_ns / 1e9
        if options.dump:
            with writing("%lprun", "-D", options.dump):
                result.dump_stats(options.dump)
            print(f"\n*** Profile stats pickled to file {options.dump!r}.")
        if options.text:
            with writing("%lprun", "-T", options.text):
                Path(options.text).write_text(report(result) + "\n", encoding="utf-8")
            print(f"\n*** Profile printout saved to text file {options.text!r}.")
        if profiler is None or not options.profiler:
            return delivered
        if not (options.functions or options.modules):
            # Of what nobody has named only what was called is of interest.
            profiler.recording.forget_uncalled()
        return profiler


def _unit(text: str | None) -> tuple[float | None, tuple[str, ...]]:
    """Read ``-u``; a wrong one is no reason not to profile."""
    if text is None:
        return None, ()
    try:
        unit = float(text)
    except ValueError:
        unit = 0.0
    if 0 < unit < float("inf"):
        return unit, ()
    problem = (
        f"-u {text}: not a number of seconds above 0; times are in ns, as without it"
    )
    return None, (problem,)
