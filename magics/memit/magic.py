"""The ``%memit`` and ``%mprun`` magics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from .._core import resident
from ..cell import Cell
from ..code import Code
from ..execution import run_setup
from ..kernel import unseen
from ..live.display import NO_LIVE, is_wanted, live
from ..live.magic import ENGINES, on_engines
from ..lprun.targets import Targets
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed
from ..output import OPTIONS, deliver, show
from ..runs import NAME, VS_NAME, runs_of
from ..views import units
from .cellwatch import CellWatch, Limit
from .engine import Settings, measure_code
from .engines import EngineMemory
from .growth import Growth, measure_growth, since_last
from .lines import LineMemory, measure_lines
from .options import CHILDREN, INTERVAL, NATIVE, REPEAT, TIMEOUT, size
from .result import MemoryResult
from .view_lines import report

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
        ENGINES,
        NAME,
        VS_NAME,
        NO_LIVE,
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
    ) -> MemoryResult | EngineMemory | None:
        """See `HELP`, which takes this one's place."""
        # IPython leaves our frame out of the user's traceback.
        __tracebackhide__ = True
        assert self.shell is not None
        runs = runs_of(self.shell)
        try:
            options = TABLE.parse_line(line)
            if options.engines and (options.name or options.vs):
                raise OptionError(
                    "--name and --vs compare single processes: leave out --engines"
                )
            base = runs.find(options.vs, MemoryResult) if options.vs else None
        except OptionError as error:
            raise UsageError(f"%memit: {error}") from None
        if options.engines:
            whole, failure = on_engines(self.shell, "memit", line, cell, options)
            assert isinstance(whole, EngineMemory)
            shown = deliver(self.shell, whole, options)
            if failure is not None:
                raise failure
            return shown
        code = Cell(self.shell, "memit", line, cell, local_ns)
        partial: list[MemoryResult] = []
        try:
            with live(self.shell, "%memit", wanted=is_wanted(options)):
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


LINES_TABLE = OptionTable(
    "%mprun",
    [
        Option(
            "functions",
            ("-f",),
            "Measure this function only: any expression that gives a function, a method, a "
            "class or a module. May be given several times.",
            "FUNCTION",
            repeatable=True,
        ),
        Option("returned", ("-r",), "Return the result; as -o does."),
        Option("text", ("-T",), "Write the tables to the text file FILE.", "FILE"),
        Option(
            "children",
            ("-c",),
            "Accepted for memory_profiler's sake: what other processes do belongs to no "
            "line of this one. %memit -c adds it up, and %lprun --mem --children measures "
            "lines in all of them.",
        ),
        *OPTIONS,
        NATIVE,
        Option(
            "no_resident",
            ("--no-resident",),
            "Do not look at what is resident at each line, which takes half a "
            "microsecond: *Mem usage* is then what was resident at the start, and the increments.",
        ),
        NO_LIVE,
    ],
    "statement",
)

LINES_HELP = """Measure line by line what functions do to memory.

Usage, in line mode::

    %mprun [options] statement

and in cell mode, where the lines below are run too::

    %%mprun [options] statement
    more statements...

Without -f the functions that the statement calls are measured, as far as they were defined
in cells and in files of your own. For each line there is how much was resident as it ended,
what it allocated and freed, what that left, and the peak above what there was when the line
began, in which the temporary within one expression shows. But for the first, these are exact
to the byte, in every thread, in coroutines and generators.

Options::

{options}

Examples::

    In [1]: %mprun clean(frame)
    In [2]: %mprun -f clean -f Table.read main()
"""


_ONLY_HERE = (
    "-c: lines are those of this process; %lprun --mem --children measures those of child"
    " processes too, and %memit -c what all of them use"
)


@magics_class
class Mprun(ToolMagics):
    """The magic of memory by line."""

    table = LINES_TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(LINES_TABLE, LINES_HELP)
    def mprun(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> LineMemory | None:
        """See `LINES_HELP`, which takes this one's place."""
        __tracebackhide__ = True
        assert self.shell is not None
        try:
            options = LINES_TABLE.parse_line(line)
        except OptionError as error:
            raise UsageError(f"%mprun: {error}") from None
        options.values["output"] |= options.returned
        code = Cell(self.shell, "mprun", line, cell, local_ns)
        partial: list[LineMemory] = []
        try:
            statement = _statement(code, options.rest, "%mprun")
            targets = Targets.named(options.functions, (), code.globals, code.locals)
            if options.functions and not targets.functions:
                raise UsageError(f"%mprun: {'; '.join(targets.problems)}")
            problems = [*targets.problems, *([_ONLY_HERE] if options.children else [])]
            with live(self.shell, "%mprun", wanted=is_wanted(options)):
                result = measure_lines(
                    statement,
                    functions=targets.functions,
                    globals=code.globals,
                    locals=code.locals,
                    discover=not options.functions,
                    native=options.native,
                    resident=not options.no_resident,
                    problems=tuple(problems),
                    on_partial=partial.append,
                )
        except BaseException as error:
            for result in partial:
                self._deliver(result, options)
            error.__traceback__ = code.user_traceback(error)
            raise
        return self._deliver(result, options)

    def _deliver(self, result: LineMemory, options: Parsed) -> LineMemory | None:
        assert self.shell is not None
        delivered = deliver(self.shell, result, options)
        if options.text:
            Path(options.text).write_text(report(result) + "\n", encoding="utf-8")
            print(f"\n*** Profile printout saved to text file {options.text}. ")
        return delivered


def _statement(code: Cell, rest: str, magic: str) -> Code:
    """Read the statement, which must be there."""
    statement = code.whole(rest)
    if not statement.tree.body:
        raise UsageError(
            f"{magic}: there is no statement to measure; write it after the magic, or on"
            " the lines below"
        )
    return statement


DIFF_TABLE = OptionTable("%memdiff", [*OPTIONS, NATIVE, NO_LIVE], "statement")

DIFF_HELP = """Show what a statement leaves allocated: by line and by type.

Usage::

    %memdiff [options] statement

    %%memdiff [options] statement
    more statements...

    %memdiff

The last form shows what is more than at the last one, in whatever cells it was allocated;
the first time it begins to count. nbprobe.memit.stop() ends that.

Options::

{options}
"""


@magics_class
class Memdiff(ToolMagics):
    """The magic of what stays."""

    table = DIFF_TABLE

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(DIFF_TABLE, DIFF_HELP)
    def memdiff(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> Growth | None:
        """See `DIFF_HELP`, which takes this one's place."""
        __tracebackhide__ = True
        assert self.shell is not None
        try:
            options = DIFF_TABLE.parse_line(line)
        except OptionError as error:
            raise UsageError(f"%memdiff: {error}") from None
        if cell is None and not options.rest:
            with unseen():  # or the next one would show it
                growth = since_last()
                if growth is not None:
                    return deliver(self.shell, growth, options)
            print("%memdiff: counting from now on; once more shows the difference")
            return None
        code = Cell(self.shell, "memdiff", line, cell, local_ns)
        partial: list[Growth] = []
        try:
            statement = _statement(code, options.rest, "%memdiff")
            with live(self.shell, "%memdiff", wanted=is_wanted(options)):
                growth = measure_growth(
                    statement,
                    globals=code.globals,
                    locals=code.locals,
                    native=options.native,
                    on_partial=partial.append,
                )
        except BaseException as error:
            for growth in partial:
                deliver(self.shell, growth, options)
            error.__traceback__ = code.user_traceback(error)
            raise
        return deliver(self.shell, growth, options)


_NO_OPTIONS = OptionTable("%memwatch", [], "word")


@magics_class
class Memwatch(ToolMagics):
    """The magics that watch every cell."""

    table = _NO_OPTIONS

    def __init__(self, shell: Any = None, **traits: Any) -> None:
        super().__init__(shell=shell, **traits)
        self._watch: CellWatch | None = None
        self._limit: Limit | None = None

    @line_magic
    def memwatch(self, line: str = "") -> None:
        """Show after each cell what it did to memory.

        ``%memwatch on`` prints a line after each cell: time, resident memory and its peak,
        what was allocated and what of it was kept. ``%memwatch table`` lists the cells with
        the highest peaks, ``%memwatch off`` ends it.
        """
        word = line.strip() or "on"
        if word == "on":
            if self._watch is None:
                self._watch = CellWatch(self.shell)
                self._watch.on()
        elif word == "table":
            if self._watch is None or not self._watch.cells:
                raise UsageError(
                    "%memwatch: nothing was watched yet; %memwatch on begins"
                )
            print(self._watch.table().text())
        elif word == "off":
            if self._watch is not None:
                self._watch.off()
                self._watch = None
        else:
            raise UsageError(
                f"%memwatch takes on, off or table, not {word!r}; write %memwatch on"
            )

    @line_magic
    def memlimit(self, line: str = "") -> None:
        """Interrupt cells that take more resident memory than this.

        ``%memlimit 8G`` raises MemoryLimit, which says what is large, in a cell that goes
        beyond, before the system ends the kernel; ``%memlimit off`` ends it. It looks every
        20 ms. A single call of C code has to return before it can be interrupted.
        """
        word = line.strip()
        if not word:
            limit = self._limit
            print("no limit" if limit is None else units.memory(limit.limit))
            return
        bytes_ = 0
        if word != "off":
            try:
                bytes_ = size(word)
            except ValueError as error:
                raise UsageError(
                    f"%memlimit takes {error}, or off, not {word!r}"
                ) from None
            used = resident()
            if bytes_ <= used:
                raise UsageError(
                    f"%memlimit: {units.memory(bytes_)} is below what is in use,"
                    f" {units.memory(used)}; choose more"
                )
        if self._limit is not None:
            self._limit.off()
            self._limit = None
        if bytes_:
            self._limit = Limit(self.shell, bytes_)
            self._limit.on()
