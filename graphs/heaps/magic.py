"""The magics ``%heap``, ``%growth``, ``%sizes``, ``%cycles`` and ``%refcount``."""

from __future__ import annotations

import gc
from collections import ChainMap
from collections.abc import Callable, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, cast

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ...cell import Cell, cell_number
from ...code import Code
from ...execution import runner
from ...magic import ToolMagics, documented
from ...options import Option, OptionError, OptionTable, Parsed
from ...output import OPTIONS, deliver
from ..magic import Expression
from .garbage import cycles, watched
from .graph import HeapMark, heap
from .growth import leaks, new_since
from .refcount import refcount
from .variables import variable_sizes
from .view import ready

if TYPE_CHECKING:
    from .result import Cycles, Growth, HeapSummary, Leaks, Refcount, Variables

__all__ = ["CyclesMagic", "GrowthMagic", "HeapMagic", "RefcountMagic", "SizesMagic"]

_COLLECT = Option(
    "collect",
    ("--collect",),
    "Collect garbage first. Otherwise the heap is left as it is.",
)


class _Unrecorded:
    """Runs code, and that is all."""

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> None:
        """Execute code."""
        __tracebackhide__ = True
        exec(code, globals, locals)

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        """Call a function."""
        __tracebackhide__ = True
        return func(*args)


def _prepared(source: Cell, code: Code) -> Callable[[], object]:
    return runner(_Unrecorded(), code, globals=source.globals, locals=source.locals)


class _HeapMagics(ToolMagics):
    """A magic about the whole heap."""

    def parse(self, line: str) -> Parsed:
        """Give the options of a line."""
        try:
            return self.table.parse_line(line)
        except OptionError as error:
            raise UsageError(f"{self.table.command}: {error}") from None

    def parse_alone(self, line: str) -> Parsed:
        """Give the options of a line on which nothing follows them."""
        options = self.parse(line)
        if options.rest:
            raise UsageError(
                f"{self.table.command}: takes options only, not"
                f" {options.rest.splitlines()[0][:40]!r}"
            )
        return options

    def code(
        self,
        line: str,
        rest: str,
        cell: str | None,
        local_ns: Mapping[str, Any] | None,
    ) -> tuple[Cell, Code | None]:
        """Give the statement on the line or below; None when there is neither."""
        assert self.shell is not None
        name = self.table.command[1:]
        source = Cell(self.shell, name, line, cell, local_ns)
        if cell is not None:
            if rest.strip():
                raise UsageError(
                    f"%%{name}: the statements go below the first line, not on it"
                )
            return source, source.below()
        return source, source.on_line(rest) if rest.strip() else None


_HEAP = OptionTable(
    "%heap",
    [
        _COLLECT,
        Option(
            "save",
            ("--save",),
            "Write the heap to FILE, to be read by nbprobe.graphs.load_heap and by the "
            "command nbprobe heap.",
            "FILE",
        ),
        *OPTIONS,
    ],
    "",
)


@magics_class
class HeapMagic(_HeapMagics):
    """The heap by type."""

    table = _HEAP

    @line_magic
    @no_var_expand
    @documented(
        _HEAP,
        """Show the heap by type, and what alone keeps most of it alive.

Usage::

    %heap [options]

All objects of the interpreter, those that the collector does not track included: how many
of each type, their own bytes, and the bytes that would be freed if all of them went. Then
the objects that retain the most, with the name by which each is reached; what keeps a tenth
of the heap or more is said first. Looking makes no object, runs no code of theirs and
collects nothing.

Options::

{options}

Examples::

    In [1]: %heap
    In [2]: before = %heap -q -o
    In [3]: after = %heap -q -o
    In [4]: after.diff(before)
    In [5]: %heap -q --save leak.heap
""",
    )
    def heap(self, line: str = "") -> HeapSummary | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options = self.parse_alone(line)
        if options.collect:
            gc.collect()
        graph = heap()
        if options.save:
            try:
                graph.save(options.save)
            except OSError as error:
                raise UsageError(f"%heap: --save: {error}") from None
        assert self.shell is not None
        return deliver(self.shell, graph.summary(), options)


_BEFORE = "before the statement"

_GROWTH = OptionTable(
    "%growth",
    [
        _COLLECT,
        Option(
            "leaks",
            ("--leaks",),
            "Run the statement twice, and show what the first run left behind and the "
            "second did not take away.",
        ),
        Option("reset", ("--reset",), "Only remember what there is now."),
        *OPTIONS,
    ],
    "[statement]",
)


@magics_class
class GrowthMagic(_HeapMagics):
    """What is new in the heap."""

    table = _GROWTH
    _mark: HeapMark | None = None
    _since = ""

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _GROWTH,
        """Show which objects are new, by type, by size and by what holds them.

Usage::

    %growth [options]               since the last %growth
    %growth [options] statement     by the statement, which runs once
    %%growth [options]
    statements...

The first %growth remembers what there is, in ten bytes an object, and every other one shows
what has come since and is still alive. Objects that are held in the same way are put
together. An object at the place of one of its type that died is not told from it; the
column "alive" is exact in any case.

Options::

{options}

Examples::

    In [1]: %growth
    In [2]: rows = load()
    In [3]: %growth
    In [4]: %growth --collect train(1)
    In [5]: %growth --leaks handle(request)
""",
    )
    def growth(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> Growth | Leaks | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options = self.parse(line)
        source, code = self.code(line, options.rest, cell, local_ns)
        assert self.shell is not None
        if options.leaks:
            if code is None:
                raise UsageError(
                    "%growth: --leaks needs a statement: %growth --leaks f()"
                )
            return deliver(self.shell, self._leaks(source, code), options)
        if code is not None:
            return self._around(source, code, options)
        return self._between(options)

    def _between(self, options: Parsed) -> Growth | None:
        if options.collect:
            gc.collect()
        if self._mark is None:
            ready()
        graph = heap()
        mark, since = self._mark, self._since
        # The old mark goes before the new one comes: two at once are not needed.
        result = None
        if mark is not None and not options.reset:
            result = new_since(graph, mark, since)
        self._mark = mark = None
        self._mark = graph.mark()
        assert self.shell is not None
        self._since = f"%growth in cell {cell_number(self.shell)}"
        if result is None:
            if not options.quiet:
                print(
                    f"remembered {graph.objects:,} objects; the next %growth shows what"
                    " has come since"
                )
            return None
        return deliver(self.shell, result, options)

    def _around(self, source: Cell, code: Code, options: Parsed) -> Growth | None:
        """Show what the statement leaves, also when an exception ends it."""
        __tracebackhide__ = True
        assert self.shell is not None
        ready()
        run = _prepared(source, code)
        if options.collect:
            gc.collect()
        mark = heap(names=False).mark()
        try:
            run()
        except BaseException as error:
            deliver(self.shell, new_since(heap(), mark, _BEFORE), options)
            error.__traceback__ = source.user_traceback(error)
            raise
        if options.collect:
            gc.collect()
        return deliver(self.shell, new_since(heap(), mark, _BEFORE), options)

    def _leaks(self, source: Cell, code: Code) -> Leaks:
        __tracebackhide__ = True
        ready()
        try:
            return leaks(lambda: _prepared(source, code)(), code.source)
        except BaseException as error:
            error.__traceback__ = source.user_traceback(error)
            raise


_SIZES = OptionTable("%sizes", [_COLLECT, *OPTIONS], "[names]")


@magics_class
class SizesMagic(_HeapMagics):
    """The memory behind variables."""

    table = _SIZES

    @line_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _SIZES,
        """Show the memory behind your variables.

Usage::

    %sizes [options] [names]

For each variable the bytes of its object itself; of all data that it leads to; and those
that would be freed if the object went, because nothing else leads to them. Then how many
references beside the variable's keep the object, and with which other variables it shares
data. Modules, functions, classes and names that begin with an underscore are left out.

Options::

{options}

Examples::

    In [1]: %sizes
    In [2]: %sizes frame cache
""",
    )
    def sizes(
        self, line: str = "", local_ns: Mapping[str, Any] | None = None
    ) -> Variables | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options = self.parse(line)
        assert self.shell is not None
        # No copy: the traceback of an error here would keep all that is in it.
        names = ChainMap(cast("dict[str, Any]", local_ns or {}), self.shell.user_ns)
        hidden = self.shell.user_ns_hidden
        wanted = options.rest.split()
        if wanted:
            for name in wanted:
                if name not in names:
                    raise UsageError(f"%sizes: there is no variable {name!r}")
            chosen = {name: names[name] for name in wanted}
        else:
            chosen = {
                name: value
                for name, value in names.items()
                if not name.startswith("_")
                and not (name in hidden and hidden[name] is value)
                and name not in ("In", "Out")
            }
        if options.collect:
            gc.collect()
        return deliver(self.shell, variable_sizes(chosen), options)


_CYCLES = OptionTable("%cycles", [*OPTIONS], "[statement]")


@magics_class
class CyclesMagic(_HeapMagics):
    """Garbage and the collector."""

    table = _CYCLES

    @line_cell_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _CYCLES,
        """Show the garbage that waits for the collector, and what the collector has done.

Usage::

    %cycles [options]
    %cycles [options] statement     with the collector's pauses while it runs
    %%cycles [options]
    statements...

Garbage is what nothing leads to: objects that hold each other in circles. It is shown by
type and by circle, and is not collected.

Options::

{options}

Examples::

    In [1]: %cycles
    In [2]: %cycles parse(text)
""",
    )
    def cycles(
        self,
        line: str = "",
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> Cycles | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options = self.parse(line)
        source, code = self.code(line, options.rest, cell, local_ns)
        assert self.shell is not None
        if code is None:
            return deliver(self.shell, cycles(), options)
        run = _prepared(source, code)
        record = watched()
        try:
            with record:
                run()
        except BaseException as error:
            self._deliver(code, record, options)
            error.__traceback__ = source.user_traceback(error)
            raise
        return self._deliver(code, record, options)

    def _deliver(self, code: Code, record: watched, options: Parsed) -> Cycles | None:
        result = cycles(
            statement=code.source, pauses=tuple(record.pauses), wall_ns=record.wall_ns
        )
        assert self.shell is not None
        return deliver(self.shell, result, options)


_REFCOUNT = OptionTable("%refcount", [*OPTIONS], "expression")


@magics_class
class RefcountMagic(Expression):
    """The references to an object."""

    table = _REFCOUNT

    @line_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _REFCOUNT,
        """Count the references to an object, exactly, and say whose they are.

Usage::

    %refcount [options] expression

Those of other objects and of running functions are named; the rest is held by C code, by
the interpreter or by an expression that is being evaluated. What this magic itself holds
does not count.

Options::

{options}

Examples::

    In [1]: %refcount frame
""",
    )
    def refcount(
        self, line: str = "", local_ns: Mapping[str, Any] | None = None
    ) -> Refcount | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options, value = self.read(line, local_ns)
        result = refcount(value, ours=1)
        assert self.shell is not None
        return deliver(self.shell, result, options)
