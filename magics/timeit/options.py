"""The options that ``%timeit`` and ``nbprobe timeit`` share."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable

from ..options import Option, OptionError, Parsed

__all__ = [
    "BUDGET",
    "COUNTERS",
    "EACH",
    "SCALE",
    "STATISTIC",
    "VS",
    "above_zero",
    "check",
    "loops",
    "whole",
]


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Make the converter of a whole number between two limits, both allowed."""
    expected = f"a whole number from {least}"
    if most is not None:
        expected += f" to {most}"

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(expected) from None
        if number < least or (most is not None and number > most):
            raise ValueError(expected)
        return number

    return convert


def loops(text: str) -> int:
    """Read a number of loops; they are counted in 64 bits, and 10^15 take days."""
    number = whole(0)(text)
    if number > 10**15:
        raise ValueError("10^15 loops at the most")
    return number


def above_zero(what: str) -> Callable[[str], float]:
    """Make the converter of a number of `what`, such as seconds, above 0."""

    def convert(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        # More than 30 years of seconds is a slip, and beyond what the system can wait.
        if not 0 < number < 1e9:
            raise ValueError(f"a number of {what} above 0")
        return number

    return convert


def _statement(text: str) -> str:
    # What was meant as `f(a, b)` and lacks its quotes ends at the blank.
    unbalanced = any(
        text.count(left) != text.count(right) for left, right in ("()", "[]", "{}")
    )
    if unbalanced and not _is_python(text):
        raise ValueError("one statement, in quotes when there is a blank in it")
    if not text.strip():
        raise ValueError("a statement")
    return text


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _number(text: str) -> float:
    base, power, exponent = text.partition("**")
    value = float(base) ** float(exponent) if power else float(base)
    if not 0 < value < math.inf:
        raise ValueError
    return int(value) if value.is_integer() else value


def _scale(text: str) -> tuple[str, tuple[float, ...]]:
    name, equals, values = text.partition("=")
    try:
        if not (equals and name.isidentifier()):
            raise ValueError
        numbers = tuple(_number(value) for value in values.split(","))
    except (OverflowError, ValueError):
        numbers = ()
    if len(set(numbers)) < 2:
        raise ValueError(
            "a name and two or more sizes above 0, without blanks, as in n=10,1e3,2**14"
        ) from None
    return name, numbers


BUDGET = Option(
    "budget",
    ("--budget",),
    "Measure for about S seconds [default 0.3]. A statement "
    "that takes longer is executed once.",
    "S",
    above_zero("seconds"),
    0.3,
)
STATISTIC = Option(
    "statistic",
    ("--stat",),
    "The headline figure [default mean]; q1 is the lower quartile.",
    choices=("mean", "median", "min", "q1", "max"),
    metavar="STAT",
    default="mean",
)
EACH = Option(
    "each",
    ("--each",),
    "Execute SETUP before every single execution of the statement, outside of the clock; "
    "for statements that destroy their input.",
    "SETUP",
    _statement,
)
VS = Option(
    "vs",
    ("--vs",),
    "Compare with STMT: both are measured in turns, in random order, and the ratio of their "
    "times is given with its 95 % interval. More than one --vs is allowed.",
    "STMT",
    _statement,
    repeatable=True,
)
SCALE = Option(
    "scale",
    ("--scale",),
    "Measure with NAME, a number that setup and statement can use, at each of the sizes "
    "(10, 1e3, 2**14, 1_000) and fit how the time grows.",
    "NAME=SIZE,SIZE,...",
    _scale,
)
COUNTERS = Option(
    "counters",
    ("--counters",),
    "Count instructions, cycles, cache and branch misses, page faults and context switches "
    "per execution, as far as the kernel permits.",
)


def check(options: Parsed) -> None:
    """Refuse options that contradict each other.

    Raises
    ------
    OptionError
        Naming both and saying which to leave out.
    """
    exact = "number" in options.given or "repeat" in options.given
    if exact and "budget" in options.given:
        raise OptionError("-n and -r fix how often it runs: leave out them or --budget")
    if options.scale and options.vs:
        raise OptionError("--scale measures one statement: leave out --vs")
