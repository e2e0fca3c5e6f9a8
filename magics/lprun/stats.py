"""line_profiler's statistics, and the ``.lprof`` files that hold them."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, NoReturn, Self

from ..errors import ResultFileError
from ..source import Source

if TYPE_CHECKING:
    from .result import LineResult

__all__ = ["Key", "LineStats", "Timings", "load_stats"]

Key = tuple[str, int, str]
Timings = dict[Key, list[tuple[int, int, int]]]

# Theirs, so that line_profiler reads what is written here.
_MODULE, _NAME = "line_profiler.line_profiler", "LineStats"


class LineStats:
    """What a profile counted, as line_profiler gives it.

    Parameters
    ----------
    timings : dict
        ``{(file, first line, name): [(line, hits, time), ...]}``, time in units.
    unit : float
        Seconds.

    Notes
    -----
    Times are corrected for what the probes take. Where the same process measured and
    shows, the text of the functions is at hand too, as it was when they were profiled.

    See Also
    --------
    line_profiler.LineStats
    """

    timings: Timings
    unit: float

    def __init__(self, timings: Mapping[Key, Any], unit: float) -> None:
        self.timings = timings  # type: ignore[assignment]
        self.unit = unit
        self._sources: dict[Key, Source] = {}

    @classmethod
    def of_result(cls, result: LineResult, *, raw: bool = False) -> Self:
        """Make statistics, in nanoseconds, of a result."""
        stats = cls(
            {
                function.key: [
                    (
                        line.number,
                        line.hits,
                        round(line.raw_total_ns if raw else line.total_ns),
                    )
                    for line in function.lines
                ]
                for function in result.functions
            },
            1e-9,
        )
        stats._sources = {
            function.key: Source(
                function.file, function.first, function.source, function.note, None
            )
            for function in result.functions
        }
        return stats

    def source(self, key: Key) -> Source | None:
        """Give the text of a function as it was when it was profiled, if that is here."""
        return self._sources.get(key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.timings}, {self.unit:.2G})"

    def __eq__(self, other: object) -> bool:
        try:
            theirs = other.timings, other.unit  # type: ignore[attr-defined]
        except AttributeError:
            return NotImplemented
        return bool((self.timings, self.unit) == theirs)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> Self:
        return self.from_stats_objects(self, other)

    def __iadd__(self, other: Any) -> Self:
        total = self + other
        self.timings, self.unit = total.timings, total.unit
        self._sources = total._sources
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"timings": self.timings, "unit": self.unit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["timings"], state["unit"])  # type: ignore[misc]

    def print(
        self,
        stream: IO[str] | None = None,
        output_unit: float | None = None,
        stripzeros: bool = False,
        details: bool = True,
        summarize: bool = False,
        sort: bool = False,
        rich: bool = False,
        *,
        config: str | os.PathLike[str] | bool | None = None,
    ) -> None:
        """Print the table of every function; see `show_text`."""
        from .text import show_text

        show_text(
            self.timings,
            self.unit,
            output_unit=output_unit,
            stream=stream,
            stripzeros=stripzeros,
            details=details,
            summarize=summarize,
            sort=sort,
            rich=rich,
            config=config,
            sources=self._sources,
        )

    def to_file(self, filename: str | os.PathLike[str]) -> None:
        """Write a ``.lprof`` file, which line_profiler reads as its own."""
        with open(filename, "wb") as file:
            file.write(_pickled(self))

    @classmethod
    def from_files(
        cls, file: str | os.PathLike[str], /, *files: str | os.PathLike[str]
    ) -> Self:
        """Read ``.lprof`` files and add them up.

        Safe for files from strangers: only the expected types are read.

        Raises
        ------
        ResultFileError
            A file is damaged, or holds anything else.
        """
        return cls.from_stats_objects(*map(_read, (file, *files)))

    @classmethod
    def from_stats_objects(cls, stats: Any, /, *more_stats: Any) -> Self:
        """Add statistics up; the unit is the largest of theirs."""
        every = [stats, *more_stats]
        # From small units to large, as rounding is done at the end.
        every.sort(key=lambda each: each.unit)
        unit = every[-1].unit
        sums: dict[Key, dict[int, tuple[int, float]]] = {}
        for each in every:
            factor = each.unit / unit
            for key, rows in each.timings.items():
                lines = sums.setdefault(key, {})
                for number, hits, time in rows:
                    before = lines.get(number, (0, 0))
                    lines[number] = before[0] + hits, before[1] + factor * time
        total = cls(
            {
                key: [
                    (number, hits, round(time))
                    for number, (hits, time) in sorted(lines.items())
                ]
                for key, lines in sums.items()
            },
            unit,
        )
        for each in every:
            total._sources |= getattr(each, "_sources", {})
        return total


load_stats = LineStats.from_files


# ---- files ----


def _pickled(stats: LineStats) -> bytes:
    """Pickle statistics as an object of line_profiler's class, which need not be there."""
    plain = {
        "timings": {
            tuple(key): [tuple(row) for row in rows]
            for key, rows in stats.timings.items()
        },
        "unit": float(stats.unit),
    }
    # Of protocol 2 the first two bytes are the header, the last is the end.
    state = pickle.dumps(plain, 2)[2:-1]
    new = b"c" + f"{_MODULE}\n{_NAME}\n".encode() + b")\x81"
    return b"\x80\x02" + new + state + b"b."


class _Plain:
    """What any class of statistics in a file becomes: an object without behaviour."""

    def __init__(self, timings: Any = None, unit: Any = None) -> None:
        self.timings = timings
        self.unit = unit


_CLASSES = {
    (_MODULE, _NAME),
    ("line_profiler._line_profiler", _NAME),
    ("_line_profiler", _NAME),
    ("nbprobe.lprun.stats", _NAME),
}


def _reconstructor(cls: type, *_: Any) -> _Plain:
    """Stands for the function that old protocols make objects with."""
    if cls is not _Plain:
        raise pickle.UnpicklingError("not a line profile")
    return _Plain()


class _Reader(pickle.Unpickler):
    """Reads numbers, strings, their containers and statistics, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _CLASSES:
            return _Plain
        if name == "_reconstructor" and module in ("copyreg", "copy_reg"):
            return _reconstructor
        if name == "object" and module in ("builtins", "__builtin__"):
            return object
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to something outside")


def _read(path: str | os.PathLike[str]) -> LineStats:
    with open(path, "rb") as file:
        content = file.read()
    try:
        found = _Reader(io.BytesIO(content)).load()
    # Unpickling bytes of any kind raises errors of any kind.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refused(path, f"damaged or not a line profile ({reason})") from None
    if not isinstance(found, _Plain):
        raise _refused(path, "not a line profile")
    if problem := _problem(vars(found)):
        raise _refused(path, f"damaged: {problem}")
    return LineStats(found.timings, found.unit)


def _refused(path: str | os.PathLike[str], why: str) -> ResultFileError:
    return ResultFileError(f"{os.fspath(path)!a}: {why}")


def _problem(state: dict[str, Any]) -> str:
    """Say what is wrong with the content of a file; empty when nothing is."""
    timings, unit = state.get("timings"), state.get("unit")
    if (type(unit) is not float and type(unit) is not int) or not 0 < unit < 1e9:
        return "the unit must be a number of seconds"
    if type(timings) is not dict:
        return "the timings must be a dict"
    for key, rows in timings.items():
        if not _is_key(key):
            return "a function must be (file, line, name)"
        if type(rows) is not list or not all(map(_is_row, rows)):
            return "a line must be (line, hits, time)"
    return ""


def _is_key(key: Any) -> bool:
    return type(key) is tuple and [type(part) for part in key] == [str, int, str]


def _is_row(row: Any) -> bool:
    return (
        type(row) in (tuple, list)
        and len(row) == 3
        and type(row[0]) is type(row[1]) is int
        and type(row[2]) in (int, float)
        and all(part == part and abs(part) < 2**63 for part in row)
    )
