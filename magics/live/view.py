"""How a run is shown while it goes on: a few lines of text, the same as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..views import units
from ..views.names import one_line
from .progress import Place, Progress

__all__ = ["html", "one", "text"]

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 40


def sparkline(values: Sequence[int], columns: int = _COLUMNS) -> str:
    """Draw how a number went with block letters, its least the lowest."""
    if not values:
        return ""
    count = min(columns, len(values))
    # The most in each column: a peak is not lost.
    cut = [round(index * len(values) / count) for index in range(count + 1)]
    heights = [max(values[a:b]) for a, b in pairwise(cut)]
    low, high = min(heights), max(heights)
    span = max(high - low, 1)
    return "".join(_BARS[(height - low) * 7 // span] for height in heights)


def _elapsed(progress: Progress) -> str:
    return f"{progress.elapsed_s:.1f} s"


def _memory(progress: Progress) -> str:
    if not progress.resident:
        return ""
    return (
        f"{units.memory(progress.resident[-1])} resident,"
        f" at most {units.memory(progress.peak)}"
    )


def _code(place: Place) -> str:
    text = f"{one_line(place.function)} ({one_line(place.where)})"
    return f"{text}: {one_line(place.text)}" if place.text else text


def _gaps(progress: Progress) -> list[str]:
    return [
        f"one call kept the interpreter for {units.seconds(gap.seconds)}:"
        f" {_code(gap.place)}"
        for gap in progress.gaps
    ]


def text(magic: str, progress: Progress) -> str:
    """Give all that is known, on a few lines."""
    lines = [f"{magic}: {_elapsed(progress)}"]
    if progress.resident:
        lines[0] += f", {_memory(progress)}  {sparkline(progress.resident)}"
    if progress.now:
        lines.append(f"now      {_code(progress.now)}")
    lines += [
        f"{units.percent(place.share):>6}   {_code(place)}"
        for place in progress.hottest
    ]
    return "\n".join(lines + _gaps(progress))


def one(magic: str, progress: Progress, columns: int) -> str:
    """Give the most important of it on one line of a terminal."""
    parts = [f"{magic}: {_elapsed(progress)}"]
    if progress.resident:
        bars = sparkline(progress.resident, 12)
        parts.append(f"{units.memory(progress.resident[-1])} {bars}")
    if progress.now:
        parts.append(_code(progress.now))
    return one_line("  ".join(parts), max(columns - 1, 20))


def html(magic: str, progress: Progress) -> str:
    """Give the same as HTML."""
    from ..views.html import render

    return render(
        "live/progress.html.j2",
        magic=magic,
        elapsed=_elapsed(progress),
        memory=_memory(progress),
        sparkline=sparkline(progress.resident),
        now=_code(progress.now) if progress.now else "",
        hottest=[
            (units.percent(place.share), _code(place)) for place in progress.hottest
        ],
        gaps=_gaps(progress),
    )
