"""``nbprobe heap``: a saved heap by type, and what alone keeps most of it alive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..options import Option, OptionError, OptionTable, Parsed
from .heapfile import none_of, run, whole

if TYPE_CHECKING:
    from ..graphs.heaps import HeapDiff, HeapSummary

SUMMARY = "a heap that %heap --save wrote: its types, what keeps it, two compared"

_BY = ("kind", "type", "size", "holders", "via", "module")


TABLE = OptionTable(
    "nbprobe heap",
    [
        Option("by", ("--by",), "Show guppy's table by this.", "BY", choices=_BY),
        Option(
            "type",
            ("--type",),
            "Show the largest objects of the type NAME, and how each is reached.",
            "NAME",
        ),
        Option("limit", ("--limit",), "Show N rows [default 20].", "N", whole, 20),
        Option("diff", ("--diff",), "Compare with the earlier heap FILE.", "FILE"),
        Option("html", ("--html",), "Write the report to FILE as HTML.", "FILE"),
        Option(
            "json", ("--json",), "Save the result, which nbprobe.load() reads.", "FILE"
        ),
        Option("help", ("-h", "--help"), "Show this and exit."),
    ],
    "file",
)

USAGE = """usage: nbprobe heap [options] FILE

Show a heap that was saved in a notebook with %heap --save FILE, or in a program with
nbprobe.graphs.heap().save(FILE). The objects are not needed, nor the machine.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe heap`` and return the exit code: 0, 1 (the file) or 2 (usage)."""
    return run(argv, TABLE, USAGE, _show)


def _show(options: Parsed) -> int:
    if options.by and options.type:
        raise OptionError("--by and --type answer different questions: choose one")
    from ..graphs.heaps import load_heap
    from ..views import units

    graph = load_heap(options.arguments[0])
    if options.type:
        members = graph.type(options.type)
        if not members:
            words = units.for_stdout(none_of(options.type, graph))
            print(f"nbprobe heap: {words}", file=sys.stderr)
            return 1
        print(units.for_stdout(f"{units.plural(members.count, 'object')} of it"))
        for expression, size in members.largest(options.limit, retained=True):
            print(units.for_stdout(f"{units.memory(size):>12}  {expression[:200]}"))
        return 0
    if options.by:
        table = graph.all.by(options.by).table(options.limit)
        hint = table.replace("Type e.g. '_.more' to view.", "--limit N shows N.")
        print(units.for_stdout(hint))
        return 0
    summary = graph.summary()
    result: HeapSummary | HeapDiff = summary
    if options.diff:
        result = summary.diff(load_heap(options.diff).summary())
    print(result)
    if options.html:
        result.to_html(options.html)
    if options.json:
        result.save(options.json)
    return 0
