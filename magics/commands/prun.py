"""``nbprobe prun``: ``python -m cProfile`` with its command line, and ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from types import CodeType
from typing import Any

from .. import script
from ..errors import SamplingError
from ..live.following import following
from ..options import Option, OptionError, OptionTable, Parsed, new_path
from ..prun import Profile, ProfileResult
from ..prun.merging import with_children
from ..prun.options import (
    BUILTINS,
    CHILDREN,
    EXPORT,
    FOCUS,
    HIDE,
    IGNORE,
    LIMITS,
    MEMORY,
    SAMPLE,
    TASKS,
    THREADS,
    check,
    children_of,
    chosen,
    sort_key,
)
from ..prun.sampling import SampleRecording
from ..runs import VS_NAME, Runs

SUMMARY = "which functions take the time of a program; every flag of python -m cProfile"

TABLE = OptionTable(
    "nbprobe prun",
    [
        Option(
            "output",
            ("-o", "--outfile"),
            "Write the profile to FILE instead of showing it; pstats, SnakeViz and "
            "gprof2dot read it.",
            "FILE",
            new_path,
        ),
        Option(
            "sort",
            ("-s", "--sort"),
            "Sort by this key of pstats, such as time, cumulative, calls, name "
            "[default time]. May be given several times.",
            "KEY",
            sort_key,
            repeatable=True,
        ),
        Option("module", ("-m",), "The program is a module."),
        LIMITS,
        THREADS,
        TASKS,
        MEMORY,
        CHILDREN,
        FOCUS,
        IGNORE,
        HIDE,
        *BUILTINS,
        SAMPLE,
        VS_NAME,
        replace(EXPORT, convert=new_path),
        Option(
            *("html", ("--html",), "Write the pictures and tables to FILE.", "FILE"),
            new_path,
        ),
        Option(
            "json",
            ("--json",),
            "Save the whole tree to FILE, which nbprobe.load() and --vs read.",
            "FILE",
            new_path,
        ),
        Option("help", ("-h", "--help"), "Show this and exit."),
    ],
    "program",
)

USAGE = """usage: nbprobe prun [options] [-m module | script.py | profile.prof] [argument...]

Run a program and say which of its functions take the time. A .prof file is shown instead
of run. The exit code is the program's.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe prun`` and return the program's exit code, or 2 for wrong usage."""
    try:
        options = TABLE.parse_arguments(argv)
        check(options)
        if options.help:
            print(USAGE + TABLE.help())
            return 0
        if not options.arguments:
            raise OptionError("there is no program: nbprobe prun script.py")
        earlier = Runs().find(options.vs, ProfileResult) if options.vs else None
    except OptionError as error:
        return TABLE.refuse(error)
    if options.arguments[0].endswith(".prof") and not options.module:
        return _show_profile(options)
    try:
        code, result = _run(options)
    except (script.ScriptError, SamplingError) as error:
        return TABLE.refuse(error)
    try:
        _deliver(result, options, earlier)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"nbprobe prun: {error}", file=sys.stderr)
        return code or 1
    return code


def _show_profile(options: Parsed) -> int:
    from ..errors import ResultFileError
    from ..prun import load_stats

    try:
        result = load_stats(options.arguments[0])
        print(result)
        if options.html:
            result.to_html(options.html)
    except (OSError, ResultFileError) as error:
        print(f"nbprobe prun: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: Parsed) -> tuple[int, ProfileResult]:
    """Run the program; give its exit code, and what was recorded however it ended."""
    if options.sample is not None:
        return _sampled(options)
    recording = Profile(
        builtins=not options.no_builtins, tasks=options.tasks, memory=options.memory
    )
    times = [0, 0]
    children = children_of(options)

    def execute(code: CodeType, names: dict[str, Any]) -> None:
        with following(children, recording.disable):
            times[:] = [perf_counter_ns()] * 2
            try:
                recording.runcode(code, names, names)
            finally:
                times[1] = perf_counter_ns()

    exit_code, interrupted = _execute(options, execute)
    result = recording.result(
        " ".join(options.arguments),
        interrupted=interrupted,
        wall_ns=times[1] - times[0],
    )
    return exit_code, chosen(with_children(result, children), options)


def _sampled(options: Parsed) -> tuple[int, ProfileResult]:
    recording = SampleRecording(options.sample)

    def execute(code: CodeType, names: dict[str, Any]) -> None:
        recording.runcode(code, names, names)

    exit_code, interrupted = _execute(options, execute)
    result = recording.result(" ".join(options.arguments), interrupted=interrupted)
    return exit_code, chosen(result, options)


def _execute(
    options: Parsed, execute: Callable[[CodeType, dict[str, Any]], None]
) -> tuple[int, bool]:
    """Give the program's exit code, and whether an exception ended it."""
    interrupted, exit_code = False, 0
    try:
        script.run(options.arguments, module=options.module, execute=execute)
    except (script.ScriptError, SamplingError):
        raise
    except SystemExit as error:
        exit_code = script.report(error)
    except BaseException as error:
        exit_code = script.report(error)
        interrupted = True
    # Who reads it may have gone; then the files of the options are still wanted.
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    return exit_code, interrupted


def _deliver(
    result: ProfileResult, options: Parsed, earlier: ProfileResult | None
) -> None:
    # The files first: who reads the table may have had enough of it, as `head` has.
    if options.output:
        result.dump_stats(options.output)
    if options.export:
        result.export(options.export)
    if options.html:
        result.to_html(Path(options.html))
    if options.json:
        result.save(options.json)
    if not options.output:
        print(result)
    if earlier is not None:
        print(f"\n{chosen(earlier, options).diff(result)}")
