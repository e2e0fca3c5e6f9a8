"""Figures as people read them: times, counts, shares, ratios.

Times keep to the rules of IPython's built-in ``%timeit``, so that eyes and scripts trained
on it read ours.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

__all__ = [
    "change",
    "count",
    "for_stdout",
    "interval",
    "memory",
    "percent",
    "plural",
    "ratio",
    "scale",
    "seconds",
    "size",
    "together",
]

_UNITS = (("s", 1.0), ("ms", 1e3), ("μs", 1e6), ("ns", 1e9))
_PARTS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def seconds(time: float, precision: int = 3) -> str:
    """Give a time in seconds with its best unit, as the built-in ``%timeit`` does.

    Examples
    --------
    >>> seconds(18.9e-9), seconds(0.0123456, 2), seconds(93784)
    ('18.9 ns', '12 ms', '1d 2h 3min 4s')
    """
    if time == math.inf:
        return "inf s"
    if time >= 60:
        return _long(time)
    unit, factor = scale(time)
    return f"{time * factor:.{precision}g} {unit}"


def _long(time: float) -> str:
    if time >= 1e12:  # no clock ran so long; a file can say so
        return f"{time:.3g} s"
    words = []
    left = time
    for unit, length in _PARTS:
        value = int(left / length)
        if value > 0:
            left %= length
            words.append(f"{value}{unit}")
        if left < 1:
            break
    return " ".join(words)


def scale(time: float) -> tuple[str, float]:
    """Choose the unit for a time in seconds; return it and its number in a second."""
    order = 3
    if 0 < time < math.inf:
        # There is no unit above the second, and none below the nanosecond.
        order = min(max(-(math.floor(math.log10(time)) // 3), 0), 3)
    return _UNITS[order]


def interval(low: float, high: float, precision: int = 3) -> str:
    """Give two times in seconds in one unit, with the digits that tell them apart.

    Examples
    --------
    >>> interval(18.8621e-9, 18.9399e-9)
    '18.86 to 18.94 ns'
    """
    return together((low, high), precision, " to ")


def together(times: Sequence[float], precision: int = 3, between: str = ", ") -> str:
    """Give several times in seconds in one unit, with the digits that tell them apart.

    Examples
    --------
    >>> together((9.641e-6, 9.7132e-6, 9.7889e-6))
    '9.64, 9.71, 9.79 μs'
    """
    largest = max(abs(time) for time in times)
    if not all(map(math.isfinite, times)) or largest >= 60:
        return between.join(seconds(time, precision) for time in times)
    unit, factor = scale(largest)
    scaled = [time * factor for time in times]
    spread = max(scaled) - min(scaled)
    if spread > 0:
        # One digit of the spread, two of a spread that begins with 1 or 2; and no fewer
        # than the figure itself has.
        digits = _decimals(spread / 2.5)
        if largest * factor >= 1:
            whole = math.floor(math.log10(largest * factor)) + 1
            digits = max(digits, precision - whole)
        words = [f"{time:z.{digits}f}" for time in scaled]
    else:
        words = [f"{time:.{precision}g}" for time in scaled]
    return f"{between.join(words)} {unit}"


def _decimals(spread: float) -> int:
    """Count the decimals that show the first digit of a difference."""
    if not 0 < spread < math.inf:
        return 2
    return min(max(-math.floor(math.log10(spread)), 0), 6)


def count(number: int) -> str:
    """Give a whole number with its thousands set apart."""
    return f"{number:,}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Give a number of things: ``'1 run'``, ``'1,000 runs'``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def size(number: float) -> str:
    """Give a size that is mostly a whole number: ``'1,000'``, ``'0.5'``."""
    if math.isfinite(number) and number == round(number) and abs(number) < 1e15:
        return f"{round(number):,}"
    return f"{number:.6g}"


_MEMORY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def memory(number: float, precision: int = 3) -> str:
    """Give a number of bytes with its best unit, powers of 1024.

    Examples
    --------
    >>> memory(0), memory(1023), memory(-1536), memory(200 * 2**20 + 1000)
    ('0 B', '1,023 B', '-1.5 KiB', '200 MiB')
    """
    if not math.isfinite(number):
        return f"{number} B"
    if abs(number) < 1024:
        return f"{number:,.0f} B" if number == round(number) else f"{number:.3g} B"
    order = 0
    # Not by the logarithm: what rounds up to 1024 has the next unit.
    while abs(number) >= 1023.95 and order < len(_MEMORY) - 1:
        number /= 1024
        order += 1
    decimals = max(0, precision - len(f"{abs(number):.0f}"))
    text = f"{number:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {_MEMORY[order]}"


def change(number: float, precision: int = 3) -> str:
    """Give a number of bytes that something grew by, with its sign.

    Examples
    --------
    >>> change(1536), change(-20), change(0)
    ('+1.5 KiB', '-20 B', '0 B')
    """
    text = memory(number, precision)
    return f"+{text}" if number > 0 else text


def percent(share: float) -> str:
    """Give a share of 1 in percent, two digits: ``'12 %'``, ``'0.21 %'``."""
    value = share * 100
    if 0 < value < 0.001:
        return "<0.001 %"
    return f"{value:.0f} %" if abs(value) >= 9.95 else f"{value:.2g} %"


def ratio(value: float, low: float, high: float) -> str:
    """Give the ratio of a time to a baseline, with its interval, in words.

    Examples
    --------
    >>> ratio(0.476, 0.455, 0.5), ratio(1.01, 0.97, 1.05)
    ('2.1x faster [2.0, 2.2]', 'no difference beyond noise [0.97, 1.05]')
    """
    if low <= 0 and high == math.inf:
        return f"{_times(value, 2)} the time, noise not known"
    if high < 1:
        # Times are compared, so half the time is twice as fast.
        value, low, high = (_invert(figure) for figure in (value, high, low))
        word = "faster"
    elif low > 1:
        word = "slower"
    else:
        digits = max(_decimals(high - low), 2)
        return f"no difference beyond noise [{low:,.{digits}f}, {high:,.{digits}f}]"
    digits = _decimals(high - low)
    return f"{_times(value, digits)} {word} [{low:,.{digits}f}, {high:,.{digits}f}]"


def _times(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}x"


def _invert(figure: float) -> float:
    return 1 / figure if figure else math.inf


# What to write where standard output cannot encode what we would like to.
_PLAIN = str.maketrans(
    {
        "±": "+-",
        "μ": "u",
        "·": "*",
        "²": "^2",
        "³": "^3",
        "ⁿ": "^n",
        "…": "...",
    }
)


def for_stdout(text: str) -> str:
    """Give `text` in characters that standard output can encode.

    Notes
    -----
    Character by character, as the built-in does: Latin-1 keeps ``±`` and loses only ``μ``.
    What has no substitute becomes a backslash escape, because a report that cannot be
    printed is worth nothing.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
        return text
    except LookupError:
        encoding = "ascii"
    except UnicodeEncodeError:
        pass
    return "".join(_encodable(letter, encoding) for letter in text)


def _encodable(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
        return letter
    except UnicodeEncodeError:
        plain = letter.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
