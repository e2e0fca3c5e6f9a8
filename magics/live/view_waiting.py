"""How it is shown that others run the code: a bar for each, as long as it takes."""

from __future__ import annotations

from ..views import units
from ..views.names import one_line
from .waiting import Waiting

__all__ = ["html", "one", "text"]

_COLUMNS = 30
_ROWS = 16


def _elapsed(waiting: Waiting) -> str:
    return f"{waiting.elapsed_s:.1f} s"


def _count(waiting: Waiting) -> str:
    answered = len(waiting.answered)
    number = answered + len(waiting.awaited)
    return f"{answered:,} of {units.plural(number, 'engine')} answered"


def _rows(waiting: Waiting) -> tuple[list[tuple[str, str, str, bool]], str]:
    """Give name, bar, time and whether it is awaited, and how many more there are."""
    awaited = [(name, waiting.elapsed_s, True) for name in waiting.awaited]
    answered = [(name, seconds, False) for name, seconds in waiting.answered]
    every = [*awaited, *answered]
    longest = max((seconds for _, seconds, _ in every), default=0.0) or 1.0
    rows = [
        (
            one_line(name),
            "█" * max(1, round(seconds / longest * _COLUMNS)),
            f"{seconds:.1f} s",
            is_awaited,
        )
        for name, seconds, is_awaited in every[:_ROWS]
    ]
    more = len(every) - len(rows)
    return rows, f"and {more:,} more" if more else ""


def text(magic: str, waiting: Waiting) -> str:
    """Give all that is known, on a few lines."""
    rows, more = _rows(waiting)
    width = max((len(name) for name, *_ in rows), default=0)
    lines = [f"{magic}: {_elapsed(waiting)}, {_count(waiting)}"]
    lines += [
        f"{name:{width}}  {bar} {'' if is_awaited else time}".rstrip()
        for name, bar, time, is_awaited in rows
    ]
    return "\n".join([*lines, more] if more else lines)


def one(magic: str, waiting: Waiting, columns: int) -> str:
    """Give the most important of it on one line of a terminal."""
    parts = [f"{magic}: {_elapsed(waiting)}", _count(waiting)]
    if waiting.answered and waiting.awaited:
        parts.append(f"waiting for {', '.join(waiting.awaited)}")
    return one_line("  ".join(parts), max(columns - 1, 20))


def html(magic: str, waiting: Waiting) -> str:
    """Give the same as HTML."""
    from ..views.html import render

    rows, more = _rows(waiting)
    return render(
        "live/waiting.html.j2",
        magic=magic,
        elapsed=_elapsed(waiting),
        count=_count(waiting),
        rows=rows,
        more=more,
    )
