"""line_profiler's table."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import IO, Any

from ..source import Source, source_at
from .config import Config

__all__ = ["get_code_block", "is_generated_code", "show_func", "show_text"]

_COLUMNS = ("line", "hits", "time", "perhit", "percent")
_TITLES = ("Line #", "Hits", "Time", "Per Hit", "% Time")

Row = tuple[int, int, int] | tuple[int, int, float]
Cells = tuple[str, str, str, str]


def get_code_block(filename: str | os.PathLike[str], lineno: int) -> list[str]:
    """Give the lines of the function, class or module that begins at a line.

    Parameters
    ----------
    filename : path
        Or the name of a cell of this session.
    lineno : int
        Its first line; that of a decorator, where it has one.

    Returns
    -------
    list of str
        Each with its line break; none where there is no such text.
    """
    return [f"{line}\n" for line in source_at(os.fspath(filename), lineno, "").lines]


def is_generated_code(filename: str) -> bool:
    """Whether a file is none of a program, but made up, as that of a notebook's cell is."""
    name = os.path.normcase(filename)
    temporary = os.path.normcase(tempfile.gettempdir())
    return name.startswith(
        (
            "<generated",
            "<ipython-input-",
            os.path.join(temporary, "ipykernel_"),
            os.path.join(temporary, "xpython_"),
        )
    )


def show_func(
    filename: str,
    start_lineno: int,
    func_name: str,
    timings: Sequence[Row],
    unit: float,
    output_unit: float | None = None,
    stream: IO[str] | None = None,
    stripzeros: bool = False,
    rich: bool = False,
    *,
    config: str | os.PathLike[str] | bool | None = None,
    source: Source | None = None,
    keep: Collection[int] | None = None,
    extra: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Print the table of one function.

    Parameters
    ----------
    filename, start_lineno, func_name : str, int, str
        Where it is, and what it is called.
    timings : sequence of (int, int, float)
        Line, hits, time in units.
    unit : float
        Seconds.
    output_unit : float, optional
        Seconds in which times are shown; `unit` without it.
    stream : file, optional
        Where to write; standard output without it.
    stripzeros : bool
        Print nothing when the function was not called.
    rich : bool
        Colour the source, if the package rich is installed.
    config : path, bool or None
        Of the widths of the columns; see `Config.find`.
    source : Source, optional
        Its text, when that is at hand; without it, it is looked for.
    keep : collection of int, optional
        The only lines to print, when not all.
    extra : mapping, optional
        Further columns, before the source: title to the cells by line.
    """
    out = sys.stdout if stream is None else stream
    if stripzeros and not sum(row[1] for row in timings):
        return
    if source is None:
        source = source_at(filename, start_lineno, func_name)
    total = sum(row[2] for row in timings)
    out.write(f"Total time: {total * unit:g} s\n")
    _write(out, f"File: {filename}\n")
    _write(out, f"Function: {func_name} at line {start_lineno}\n")
    if source.note:
        out.write(f"({source.note})\n")
    lines = _lines(source, start_lineno, timings)
    end = lines[-1][0]
    if keep is not None:
        lines = [line for line in lines if line[0] in keep]
    minima = Config.find(False).tables["column_widths"]
    wanted = Config.find(config).tables["column_widths"]
    widths = {name: max(minima[name], wanted[name]) for name in _COLUMNS}
    cells = _cells(timings, total, unit / (output_unit or unit), widths)
    for place, name in enumerate(_COLUMNS[1:4]):
        longest = max((len(row[place]) for row in cells.values()), default=0)
        widths[name] = max(widths[name], longest)
    template = " ".join(f"%{widths[name]}s" for name in _COLUMNS)
    more = _Extra(extra or {})
    header = f"{template % _TITLES}{more.titles}  Line Contents"
    out.write(f"\n{header}\n{'=' * len(header)}\n")
    numbered = [
        (template % (number, *cells.get(number, ("",) * 4)) + more.cells(number), text)
        for number, text in lines
    ]
    if not (rich and _write_rich(out, numbered)):
        before = lines[0][0] - 1 if lines else 0
        for (number, _), (figures, text) in zip(lines, numbered, strict=True):
            if number > before + 1:
                out.write(f"{'...':>{widths['line']}}\n")
            before = number
            _write(out, f"{figures}  {text}\n")
        if before < end:
            out.write(f"{'...':>{widths['line']}}\n")
    out.write("\n")


class _Extra:
    """Columns after line_profiler's own."""

    def __init__(self, columns: Mapping[str, Mapping[int, str]]) -> None:
        self._columns = [
            (cells, max(map(len, [title, *cells.values()])) + 2)
            for title, cells in columns.items()
        ]
        widths = (width for _, width in self._columns)
        self.titles = "".join(map(str.rjust, columns, widths))

    def cells(self, number: int) -> str:
        """Give the cells of a line."""
        return "".join(
            cells.get(number, "").rjust(width) for cells, width in self._columns
        )


def show_text(
    stats: Mapping[tuple[str, int, str], Sequence[Row]],
    unit: float,
    output_unit: float | None = None,
    stream: IO[str] | None = None,
    stripzeros: bool = False,
    details: bool = True,
    summarize: bool = False,
    sort: bool = False,
    rich: bool = False,
    *,
    config: str | os.PathLike[str] | bool | None = None,
    sources: Mapping[tuple[str, int, str], Source] | None = None,
) -> None:
    """Print the tables of several functions, as line_profiler does.

    Parameters
    ----------
    stats : mapping
        ``{(file, first line, name): [(line, hits, time), ...]}``
    details : bool
        Print the tables.
    summarize : bool
        Print one line a function, after them.
    sort : bool
        By ascending time.
    sources : mapping, optional
        Texts that are at hand, by the same keys.
    unit, output_unit, stream, stripzeros, rich, config
        As `show_func` takes them.
    """
    out = sys.stdout if stream is None else stream
    out.write(f"Timer unit: {output_unit if output_unit is not None else unit:g} s\n\n")
    functions = list(stats.items())
    if sort:
        functions.sort(key=lambda item: sum(row[2] for row in item[1]))
    for (file, first, name), timings in functions if details else ():
        show_func(
            file,
            first,
            name,
            timings,
            unit,
            output_unit=output_unit,
            stream=out,
            stripzeros=stripzeros,
            rich=rich,
            config=config,
            source=(sources or {}).get((file, first, name)),
        )
    for (file, first, name), timings in functions if summarize else ():
        seconds = sum(row[2] for row in timings) * unit
        if seconds or not stripzeros:
            _write(out, f"{seconds:6.2f} seconds - {file}:{first} - {name}\n")


def _lines(source: Source, first: int, timings: Sequence[Row]) -> list[tuple[int, str]]:
    """Number the text; lines with figures are there also where the text is not."""
    last = max((row[0] for row in timings), default=first)
    start = source.first if source.lines else min([first, *(row[0] for row in timings)])
    end = max(start + len(source.lines), last + 1)
    texts = dict(enumerate(source.lines, start))
    return [(number, texts.get(number, "")) for number in range(start, end)]


def _cells(
    timings: Sequence[Row], total: float, scale: float, widths: Mapping[str, int]
) -> dict[int, Cells]:
    cells = {}
    for number, hits, time in timings:
        percent = f"{100 * time / total:5.1f}" if total else ""
        cells[number] = (
            _fitting(f"{hits:d}", f"{hits:g}", widths["hits"]),
            _number(time * scale, widths["time"]),
            _number(time * scale / max(hits, 1), widths["perhit"]),
            percent,
        )
    return cells


def _number(value: float, width: int) -> str:
    return _fitting(f"{value:5.1f}", f"{value:5.3g}", width)


def _fitting(text: str, short: str, width: int) -> str:
    return text if len(text) <= width else short


def _write(out: IO[str], text: str) -> None:
    """Write what may hold letters that the stream cannot encode."""
    try:
        out.write(text)
    except UnicodeEncodeError:
        encoding = getattr(out, "encoding", None) or "ascii"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _write_rich(out: IO[str], numbered: Sequence[tuple[str, str]]) -> bool:
    """Write the rows in colours; False when rich is not installed."""
    try:
        load: Callable[[str], Any] = importlib.import_module
        syntax, text, table, console, highlighter = (
            load(f"rich.{name}")
            for name in ("syntax", "text", "table", "console", "highlighter")
        )
    except ImportError:
        return False
    left = text.Text("\n".join(figures for figures, _ in numbered))
    highlighter.ReprHighlighter().highlight(left)
    source = "\n".join(line for _, line in numbered)
    right = syntax.Syntax(source, "python", background_color="default")
    grid = table.Table.grid()
    grid.add_row(left, "  ", right)
    terminal = console.Console(file=out, soft_wrap=True, color_system="standard")
    # In less room, rich would wrap the figures and put them beside other lines.
    columns = [
        [len(cell.expandtabs()) for cell in column]
        for column in zip(*numbered, strict=True)
    ]
    terminal.width = max(terminal.width, sum(map(max, columns)) + 2)
    terminal.print(grid)
    out.write("\n")
    return True
