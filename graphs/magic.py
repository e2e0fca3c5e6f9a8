"""The magics ``%show_refs``, ``%show_backrefs`` and ``%why``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from .._core import referrers
from ..cell import Cell
from ..magic import ToolMagics, documented
from ..options import Option, OptionError, OptionTable, Parsed
from ..output import OPTIONS, deliver
from .options import PictureOptions
from .references import picture
from .why import why

if TYPE_CHECKING:
    from .result import ReferenceGraph, Why

__all__ = ["Expression", "ShowBackrefs", "ShowRefs", "WhyAlive"]


def _whole(least: int) -> Any:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ValueError(f"a whole number from {least}")
        return int(text)

    return convert


_PICTURE = (
    Option(
        "max_depth",
        ("--max-depth",),
        "Show objects up to N references away [default 3].",
        "N",
        _whole(0),
        3,
    ),
    Option(
        "too_many",
        ("--too-many",),
        "Show N references of one object and count the rest [default 10].",
        "N",
        _whole(1),
        10,
    ),
    Option("refcounts", ("--refcounts",), "Show the number of references to each."),
    Option(
        "sizes",
        ("--sizes",),
        "Show the bytes of each object and what would be freed with it.",
    ),
    Option(
        "internals",
        ("--internals",),
        "Show how IPython and the kernel hold variables.",
    ),
    Option("across", ("--across",), "Draw from left to right."),
    Option("long", ("--long-names",), "Show the names of types with their modules."),
    *OPTIONS,
)

_HELP = """Show {what}, as a picture.

Usage::

    %{name} [options] expression

Each reference carries its name: an attribute, an index, a key, a variable. Looking runs no
code of the objects and makes none. Several objects at once are for the function
nbprobe.graphs.{name}([a, b]).

Options::

{{options}}

Examples::

    In [1]: %{name} frame
    In [2]: %{name} --max-depth 5 --refcounts cache["rows"]
"""

_REFS = OptionTable("%show_refs", _PICTURE, "expression")
_BACKREFS = OptionTable("%show_backrefs", _PICTURE, "expression")
_WHY = OptionTable(
    "%why",
    [
        Option(
            "limit",
            ("--limit",),
            "Give N ways to the object, one through each that holds it [default 5].",
            "N",
            _whole(1),
            5,
        ),
        Option(
            "internals",
            ("--internals",),
            "Give also the running functions of IPython and of the kernel.",
        ),
        *OPTIONS,
    ],
    "expression",
)


class Expression(ToolMagics):
    """A magic about the value of one expression."""

    def read(self, line: str, local_ns: Mapping[str, Any] | None) -> tuple[Parsed, Any]:
        """Give the options and the value; the expression runs once."""
        __tracebackhide__ = True
        command = self.table.command
        try:
            options = self.table.parse_line(line)
        except OptionError as error:
            raise UsageError(f"{command}: {error}") from None
        assert self.shell is not None
        cell = Cell(self.shell, command[1:], line, None, local_ns)
        code = cell.on_line(options.rest)
        body = code.tree.body
        if len(body) != 1 or not isinstance(body[0], ast.Expr):
            raise UsageError(f"{command}: give one expression, as in {command} x")
        compiled = compile(ast.Expression(body[0].value), code.filename, "eval")
        try:
            return options, eval(compiled, cell.globals, cell.locals)
        except BaseException as error:
            error.__traceback__ = cell.user_traceback(error)
            raise

    def draw(
        self, line: str, local_ns: Mapping[str, Any] | None, *, backwards: bool
    ) -> ReferenceGraph | None:
        """Show the picture of the references from or to the value."""
        __tracebackhide__ = True
        options, value = self.read(line, local_ns)
        graph = picture(
            value,
            backwards,
            PictureOptions(
                max_depth=options.max_depth,
                extra_ignore=_handed_over(local_ns),
                too_many=options.too_many,
                refcounts=options.refcounts,
                shortnames=not options.long,
                sizes=options.sizes,
                across=options.across,
                internals=options.internals,
            ),
            single=True,
        )
        assert self.shell is not None
        return deliver(self.shell, graph, options)


def _handed_over(local_ns: Mapping[str, Any] | None) -> set[int]:
    """Find the dictionaries in which IPython hands its argument to a magic, by id.

    They hold the user's names for the time of the call, and are nobody's concern.
    """
    (holders,) = referrers([local_ns])
    return {
        id(holder)
        for holder in holders
        if type(holder) is dict and list(holder) == ["local_ns"]
    }


@magics_class
class ShowRefs(Expression):
    """What an object holds."""

    table = _REFS

    @line_magic
    @needs_local_scope
    @no_var_expand
    @documented(_REFS, _HELP.format(name="show_refs", what="what an object holds"))
    def show_refs(
        self, line: str = "", local_ns: Mapping[str, Any] | None = None
    ) -> ReferenceGraph | None:
        """See `_HELP`, which takes this one's place."""
        __tracebackhide__ = True
        return self.draw(line, local_ns, backwards=False)


@magics_class
class ShowBackrefs(Expression):
    """What holds an object."""

    table = _BACKREFS

    @line_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _BACKREFS, _HELP.format(name="show_backrefs", what="what holds an object")
    )
    def show_backrefs(
        self, line: str = "", local_ns: Mapping[str, Any] | None = None
    ) -> ReferenceGraph | None:
        """See `_HELP`, which takes this one's place."""
        __tracebackhide__ = True
        return self.draw(line, local_ns, backwards=True)


@magics_class
class WhyAlive(Expression):
    """What keeps an object alive."""

    table = _WHY

    @line_magic
    @needs_local_scope
    @no_var_expand
    @documented(
        _WHY,
        """Say what keeps an object alive, and what would let go.

Usage::

    %why [options] expression

The shortest ways to the object from the variables of this notebook, from IPython's history
of outputs (Out, _), from the last error's traceback, from modules and from running
functions. Weak references hold nothing.

Options::

{options}

Examples::

    In [1]: %why frame
    In [2]: %why --limit 20 cache["rows"]
""",
    )
    def why(
        self, line: str = "", local_ns: Mapping[str, Any] | None = None
    ) -> Why | None:
        """See the text above, which takes this one's place."""
        __tracebackhide__ = True
        options, value = self.read(line, local_ns)
        result = why(value, options.limit, internals=options.internals)
        assert self.shell is not None
        return deliver(self.shell, result, options)
