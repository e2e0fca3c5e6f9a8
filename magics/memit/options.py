"""The options that ``%memit`` and its relatives share."""

from __future__ import annotations

from ..options import Option
from ..timeit.options import above_zero, whole

__all__ = ["CHILDREN", "INTERVAL", "NATIVE", "REPEAT", "TIMEOUT", "seconds", "size"]

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


seconds = above_zero("seconds")


def _timeout(text: str) -> float:
    # memory_profiler's own default is written 0.
    try:
        return 0.0 if float(text) == 0 else seconds(text)
    except ValueError:
        raise ValueError("a number of seconds from 0") from None


def size(text: str) -> int:
    """Read an amount of memory: ``'8G'``, ``'512 MiB'``, ``'10 MB'``, ``'1e6'``.

    Raises
    ------
    ValueError
        Saying what it must look like.

    Notes
    -----
    All units are powers of 1024, as memory is counted in.

    Examples
    --------
    >>> size("8G"), size("10 MB"), size("512")
    (8589934592, 10485760, 512)
    """
    word = text.strip().lower().removesuffix("b").removesuffix("i").strip()
    number = word.rstrip("kmgt")
    unit = word[len(number) :]
    try:
        value = float(number) * _UNITS[unit]
    except (KeyError, ValueError):
        value = 0.0
    if not 1 <= value < 2**62:
        raise ValueError("an amount of memory above 0, such as 512MB or 8G")
    return int(value)


REPEAT = Option(
    "repeat",
    ("-r",),
    "Run the code R times, and take the highest peak [default 1].",
    "R",
    whole(1),
    1,
)
TIMEOUT = Option(
    "timeout",
    ("-t",),
    "Begin no further run once T seconds have passed [default 0: no limit].",
    "T",
    _timeout,
    0.0,
)
INTERVAL = Option(
    "interval",
    ("-i",),
    "Read resident memory every I seconds for its course [default 0.001]. The peak does "
    "not depend on it.",
    "I",
    seconds,
    0.0,
)
CHILDREN = Option(
    "children",
    ("-c", "--children"),
    "Add the memory of the processes that the code starts; what they share is counted "
    "once.",
)
NATIVE = Option(
    "native",
    ("--native",),
    "Count what libraries allocate by themselves too, not through Python's allocators.",
)
