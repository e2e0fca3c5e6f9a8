"""The ``%timeit`` and ``%%timeit`` magics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from .. import timeit as engine
from ..cell import Cell
from ..live.display import NO_LIVE, is_wanted, live
from ..live.magic import ENGINES, on_engines
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed
from ..output import OPTIONS, deliver, show
from ..runs import NAME, runs_of
from ..settings import TimeitMagics
from .options import (
    BUDGET,
    COUNTERS,
    EACH,
    SCALE,
    STATISTIC,
    VS,
    check,
    loops,
    whole,
)

if TYPE_CHECKING:
    from ..code import Code
    from .result import Comparison, Scaling, TimeitResult

TABLE = OptionTable(
    "%timeit",
    [
        Option(
            "number",
            ("-n",),
            "Execute the statement N times in each run, exactly as the built-in %timeit "
            "does, the overhead of its loop included. 0, or -r alone: as many times as "
            "take 0.2 s [default: choose freely within the budget, without the overhead].",
            "N",
            loops,
            0,
        ),
        Option(
            "repeat",
            ("-r",),
            "Make R runs, exactly as the built-in %timeit does [default with -n: 7].",
            "R",
            whole(1),
            0,
        ),
        Option("real", ("-t",), "Read the clock of the day, time.time()."),
        Option(
            "cpu",
            ("-c",),
            "Read the CPU time of this process, user and system. Without -t and -c: "
            "time.perf_counter().",
        ),
        Option(
            "precision",
            ("-p",),
            "Show P significant digits [default 3].",
            "P",
            whole(0, 100),
            3,
        ),
        *OPTIONS,
        BUDGET,
        STATISTIC,
        EACH,
        VS,
        Option(
            "compare",
            ("--compare",),
            "Cell form: compare the parts of the cell as --vs does. A comment line "
            "# %% LABEL begins each part, what stands above the first is setup; without "
            "such lines each statement is a part.",
        ),
        NAME,
        SCALE,
        COUNTERS,
        ENGINES,
        NO_LIVE,
    ],
    "statement",
)

HELP = """Time how long a Python statement takes.

Usage, in line mode::

    %timeit [options] statement

and in cell mode, where the first line is setup code, executed but not timed::

    %%timeit [options] setup
    statement...

The statement is executed many times within a short budget, by a loop in C. The figure is
what one execution takes: the loop's own overhead is cancelled, and samples during which the
machine did something else are dropped and counted. Names that the code assigns are gone
afterwards; `await` is allowed. Interrupted, it shows what it has measured until then.

Options::

{options}

The defaults of --budget and --stat are set by %config TimeitMagics.budget = 1 and
%config TimeitMagics.statistic = 'median'.

Examples::

    In [1]: %timeit 10 * 11
    In [2]: %timeit --vs "x.__len__()" len(x)
    In [3]: %timeit --each "data = random[:]" data.sort()
    In [4]: %timeit --scale n=10,100,1000,10000 sorted(range(n))
    In [5]: %%timeit --compare x = list(range(1000))
       ...: # %% loop
       ...: total = 0
       ...: for number in x:
       ...:     total += number
       ...: # %% built-in
       ...: total = sum(x)
"""


@magics_class
class Timeit(ToolMagics):
    """The timing magic."""

    table = TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(TABLE, HELP)
    def timeit(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> TimeitResult | Comparison | Scaling | None:
        """See `HELP`, which takes this one's place."""
        # IPython leaves our frame out of the user's traceback.
        __tracebackhide__ = True
        assert self.shell is not None
        options = self._options(line, cell)
        if options.engines:
            asked = self._with_settings(options)
            whole, failure = on_engines(self.shell, "timeit", line, cell, asked)
            assert isinstance(whole, engine.Comparison)
            shown = deliver(self.shell, whole, options)
            if failure is not None:
                raise failure
            return shown
        code = Cell(self.shell, "timeit", line, cell, local_ns)
        try:
            with live(self.shell, "%timeit", wanted=is_wanted(options)):
                result = self._measure(code, options, in_cell=cell is not None)
        except BaseException as error:
            error.__traceback__ = code.user_traceback(error)
            raise
        delivered = deliver(self.shell, result, options)
        if options.name:
            self._keep(result, options)
        return delivered

    def _options(self, line: str, cell: str | None) -> Parsed:
        try:
            options = TABLE.parse_line(line)
            check(options)
            if options.compare and (cell is None or options.vs or options.scale):
                raise OptionError(
                    "--compare is for the parts of a cell: use %%timeit --compare, "
                    "without --vs and --scale"
                )
            several = options.compare or options.vs or options.scale
            if options.engines and (several or options.name):
                raise OptionError(
                    "--engines times one statement: leave out --vs, --compare, --scale"
                    " and --name"
                )
            if options.name and several:
                raise OptionError(
                    "--name keeps one timing: leave out --vs, --compare and --scale"
                )
        except OptionError as error:
            raise UsageError(f"%timeit: {error}") from None
        return options

    def _with_settings(self, options: Parsed) -> Parsed:
        """Write the settings of this shell down, for an engine that has its own."""
        assert self.shell is not None
        settings = TimeitMagics.of(self.shell)
        written = [*options.written]
        if "statistic" not in options.given:
            written.append(("statistic", "--stat", settings.statistic))
        if not options.given & {"budget", "number", "repeat"}:
            written.append(("budget", "--budget", str(settings.budget)))
        return replace(options, written=tuple(written))

    def _measure(
        self, code: Cell, options: Parsed, *, in_cell: bool
    ) -> TimeitResult | Comparison | Scaling:
        keywords = self._keywords(code, options)
        first_line = code.on_line(options.rest)
        if options.compare:
            setup, parts = code.candidates(first_line)
            if len(parts) < 2:
                raise UsageError(
                    "%timeit: --compare needs two or more parts in the cell; begin each "
                    "with a comment line # %% LABEL"
                )
            labels, statements = zip(*parts, strict=True)
            return engine.compare(statements, setup, labels=labels, **keywords)
        setup = first_line if in_cell else code.on_line("")
        statement = code.below() if in_cell else first_line
        if not statement.tree.body:
            raise UsageError(
                "%timeit: there is no statement to time; write %timeit STATEMENT, or "
                "%%timeit and the statements on the lines below"
            )
        if options.vs:
            candidates = [statement, *map(code.on_line, options.vs)]
            return engine.compare(candidates, setup, **keywords)
        if options.scale:
            name, values = options.scale
            return engine.scale(statement, setup, name=name, values=values, **keywords)
        return engine.measure(statement, setup, **keywords)

    def _keywords(self, code: Cell, options: Parsed) -> dict[str, Any]:
        """Give the engine's keywords, which are the same for every form."""
        assert self.shell is not None
        shell = self.shell
        given = options.given
        settings = TimeitMagics.of(shell)
        statistic = options.statistic if "statistic" in given else settings.statistic
        each: Code | None = code.on_line(options.each) if options.each else None

        def show_partial(result: TimeitResult | Comparison | Scaling) -> None:
            if not options.quiet:
                show(shell, result)

        return {
            "globals": code.globals,
            "locals": code.locals,
            "number": options.number,
            "repeat": options.repeat or (7 if "number" in given else 0),
            "budget": options.budget if "budget" in given else settings.budget,
            "clock": "cpu" if options.cpu else "real" if options.real else "wall",
            "each": each,
            "statistic": statistic,
            "counters": options.counters,
            "precision": options.precision,
            "on_partial": show_partial,
        }

    def _keep(self, result: Any, options: Parsed) -> None:
        assert self.shell is not None
        earlier = runs_of(self.shell).keep(options.name, result)
        if earlier is not None and not options.quiet:
            show(self.shell, earlier.diff(result))
