"""``nbprobe memit``: what ``python -m memory_profiler`` does, with its flags."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from .. import script
from ..memit.followed import Followed
from ..memit.profiler import LineProfiler, show_results
from ..memit.stamped import run as run_stamped
from ..memit.watch import BACKENDS
from ..options import Option, OptionError, OptionTable, Parsed
from ..timeit.options import above_zero, whole

SUMMARY = (
    "memory by line of functions with @profile; flags of python -m memory_profiler"
)


TABLE = OptionTable(
    "nbprobe memit",
    [
        Option(
            "max_mem",
            ("--pdb-mmem",),
            "Step into the debugger when more than MAXMEM MiB are resident.",
            "MAXMEM",
            above_zero("MiB"),
        ),
        Option(
            "precision",
            ("--precision",),
            "Show N digits after the point [default 3].",
            "N",
            whole(0, 20),
            3,
        ),
        Option("output", ("-o",), "Append the tables to FILE.", "FILE"),
        Option(
            "timestamp",
            ("--timestamp",),
            "Write when the functions ran and the memory then, as mprof run does, and not "
            "their lines.",
        ),
        Option(
            "include_children",
            ("--include-children", "--children"),
            "Add the memory of the processes that were started: their peak together and "
            "what each has allocated, below the tables; with --timestamp to each figure.",
        ),
        Option(
            "backend",
            ("--backend",),
            "With --timestamp: what is counted [default psutil]. Lines are counted by the "
            "allocators.",
            "NAME",
            choices=BACKENDS,
        ),
        Option("help", ("-h", "--help"), "Show this and exit."),
    ],
    "program",
)

USAGE = """usage: nbprobe memit [options] script.py|module [arguments]

Run a program in which `profile` is known without an import. At the end, the lines of the
functions that it decorates are shown with what they did to memory.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe memit`` and return the exit code: the program's, 1 or 2 (usage)."""
    try:
        options = TABLE.parse_arguments(argv)
        if not options.help and not options.arguments:
            raise OptionError(
                "a program to run must be provided; write nbprobe memit script.py"
            )
    except OptionError as error:
        print(f"nbprobe memit: {error}", file=sys.stderr)
        return 2
    if options.help:
        print(USAGE + TABLE.help())
        return 0
    try:
        if options.timestamp:
            return run_stamped(
                options.arguments,
                options.output,
                backend=options.backend,
                include_children=options.include_children,
            )
        return _run(options)
    except (script.ScriptError, OSError) as error:
        print(f"nbprobe memit: {error}", file=sys.stderr)
        return 1


def _run(options: Parsed) -> int:
    profiler = LineProfiler(max_mem=options.max_mem)
    followed = Followed() if options.include_children else None
    code = 0
    with ExitStack() as stack:
        if followed is not None:
            stack.enter_context(followed.during(profiler.disable))
        try:
            script.run(options.arguments, {"profile": profiler})
        except script.ScriptError:
            raise
        except BaseException as error:
            code = script.report(error)
    with ExitStack() as stack:
        stream = sys.stdout
        if options.output:
            stream = stack.enter_context(open(options.output, "a", encoding="utf-8"))
        show_results(profiler, stream=stream, precision=options.precision)
        if followed is not None:
            stream.write(followed.text() + "\n")
    return code
