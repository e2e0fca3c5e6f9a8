"""``nbprobe timeit``: ``python -m timeit`` with its flags and its line of output, and ours."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import timeit as engine
from ..options import Option, OptionError, OptionTable, Parsed, new_file
from ..timeit.options import (
    BUDGET,
    COUNTERS,
    EACH,
    SCALE,
    STATISTIC,
    VS,
    check,
    loops,
)

if TYPE_CHECKING:
    from ..timeit.result import Comparison, Scaling, TimeitResult

SUMMARY = "how long does a statement take; every flag of python -m timeit"

_UNITS_S = {"nsec": 1e-9, "usec": 1e-6, "msec": 1e-3, "sec": 1.0}


def _runs(text: str) -> int:
    """Read a number of runs; less than one is one, as for ``python -m timeit``."""
    try:
        return max(1, int(text))
    except ValueError:
        raise ValueError("a whole number") from None


TABLE = OptionTable(
    "nbprobe timeit",
    [
        Option(
            "number",
            ("-n", "--number"),
            "Execute the statement N times in each run, loop overhead included, as "
            "python -m timeit does. 0, or -r alone: as many times as take 0.2 s "
            "[default: choose freely within the budget, without the overhead].",
            "N",
            loops,
            0,
        ),
        Option(
            "repeat",
            ("-r", "--repeat"),
            "Make R runs [default with -n: 5]; 1 at least.",
            "R",
            _runs,
            0,
        ),
        Option(
            "setup",
            ("-s", "--setup"),
            "Execute S once before each run [default pass]. Each -s is a line.",
            "S",
            repeatable=True,
        ),
        Option("process", ("-p", "--process"), "Measure CPU time, not wall time."),
        Option(
            "unit",
            ("-u", "--unit"),
            "The unit of the output [default: whichever suits].",
            "UNIT",
            choices=tuple(_UNITS_S),
        ),
        Option(
            "verbose",
            ("-v", "--verbose"),
            "Show what was tried to find the number of loops, and the time of each run; "
            "more of them show more digits.",
            repeatable=True,
        ),
        Option("help", ("-h", "--help"), "Show this and exit."),
        BUDGET,
        STATISTIC,
        EACH,
        VS,
        SCALE,
        COUNTERS,
        Option(
            "json",
            ("--json",),
            "Save the result, which nbprobe.load() reads.",
            "FILE",
            new_file,
        ),
    ],
    "statement",
)

# Without these, the output begins with the line that python -m timeit prints.
_OURS = {option.name for option in (STATISTIC, EACH, VS, SCALE, COUNTERS)}

USAGE = """usage: nbprobe timeit [options] [statement...]

Measure how long a Python statement takes. Several statements are the lines of one.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe timeit`` and return the exit code: 0, 1 (it raised) or 2 (usage)."""
    try:
        options = TABLE.parse_arguments(argv)
        check(options)
    except OptionError as error:
        return TABLE.refuse(error)
    if options.help:
        print(USAGE + TABLE.help())
        return 0
    # The statement may import what is here, as with python -m timeit.
    sys.path.insert(0, os.curdir)
    try:
        result = _measure(options)
    except BaseException as error:  # Ctrl-C and SystemExit too, as python -m timeit
        _print_traceback(error)
        return 1
    _print_result(result, options)
    if options.json:
        try:
            result.save(options.json)
        except OSError as error:
            print(f"nbprobe timeit: --json: {error}", file=sys.stderr)
            return 1
    return 0


def _measure(options: Parsed) -> TimeitResult | Comparison | Scaling:
    keywords: dict[str, Any] = {
        "globals": {"__name__": "__main__"},
        "number": options.number,
        "repeat": options.repeat or (5 if "number" in options.given else 0),
        "budget": options.budget,
        "clock": "cpu" if options.process else "wall",
        "each": options.each,
        "statistic": options.statistic,
        "counters": options.counters,
        "precision": 3 + len(options.verbose),
        "on_partial": print,
    }
    statement = "\n".join(options.arguments) or "pass"
    setup = "\n".join(options.setup) or "pass"
    if options.vs:
        return engine.compare([statement, *options.vs], setup, **keywords)
    if options.scale:
        name, values = options.scale
        return engine.scale(statement, setup, name=name, values=values, **keywords)
    tried: list[tuple[int, float]] = []
    keywords["callback"] = lambda *trial: tried.append(trial)
    result = engine.measure(statement, setup, **keywords)
    if options.verbose and not (_OURS & options.given):
        _print_trials(tried, keywords["precision"])
    return result


def _print_trials(tried: list[tuple[int, float]], precision: int) -> None:
    """Print what ``python -m timeit -v`` prints while it looks for a number of loops."""
    for number, seconds in tried:
        loops = f"{number} loop{'' if number == 1 else 's'}"
        print(f"{loops} -> {seconds:.{precision}g} secs")
    if tried:
        print()


def _print_traceback(error: BaseException) -> None:
    """Print the user's part of a traceback; the frames above it are ours."""
    ours = os.path.dirname(os.path.dirname(__file__))
    users: TracebackType | None = error.__traceback__
    while users and users.tb_frame.f_code.co_filename.startswith(ours):
        users = users.tb_next
    if isinstance(error, SyntaxError):
        users = None
    traceback.print_exception(error.with_traceback(users))


def _print_result(result: TimeitResult | Comparison | Scaling, options: Parsed) -> None:
    from ..timeit.result import TimeitResult

    if isinstance(result, TimeitResult) and not (_OURS & options.given):
        _print_as_standard(result, options)
    print(result)


def _print_as_standard(result: TimeitResult, options: Parsed) -> None:
    """Print what ``python -m timeit`` prints."""

    def time(seconds: float) -> str:
        return _format_time(seconds, options.unit, result.precision)

    if options.verbose:
        print("raw times: " + ", ".join(map(time, result.all_runs)), end="\n\n")
    loops = f"{result.loops} loop{'' if result.loops == 1 else 's'}"
    print(f"{loops}, best of {result.repeat}: {time(result.best)} per loop")
    if result.worst >= result.best * 4:
        print(
            "nbprobe timeit: The test results are likely unreliable. The worst time "
            f"({time(result.worst)}) was more than four times slower than the best time "
            f"({time(result.best)}).",
            file=sys.stderr,
        )


def _format_time(seconds: float, unit: str | None, precision: int) -> str:
    if unit is None:
        fitting = [name for name in _UNITS_S if seconds >= _UNITS_S[name]]
        unit = fitting[-1] if fitting else "nsec"
    return f"{seconds / _UNITS_S[unit]:.{precision}g} {unit}"
