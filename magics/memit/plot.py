"""``mprof plot``: a recording as a page, a drawing, text, or by matplotlib if it must be."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import MissingPackageError
from ..options import Parsed
from ..views.html import page
from . import view_recording
from .files import NoRecordingError
from .recording import Recording, read

__all__ = ["plot"]


def plot(names: list[str], options: Parsed) -> int:
    """Draw the recordings of some files, and say where; give the exit code."""
    recordings = [read(name) for name in names]
    if options.window:
        recordings = [recording.window(*options.window) for recording in recordings]
    target = options.output or os.path.splitext(names[0])[0] + ".html"
    title = options.title or recordings[0].command
    ending = os.path.splitext(target)[1].lower()
    if options.backend or ending not in (".html", ".svg", ".txt"):
        _by_matplotlib(recordings, options, title, target if options.output else None)
        return 0
    if ending == ".txt":
        content = "\n\n".join(map(view_recording.text, recordings)) + "\n"
    else:
        content = _drawn(recordings, options, title, names, is_page=ending == ".html")
    Path(target).write_text(content, encoding="utf-8")
    print(f"The plot is in {target}")
    return 0


def _drawn(
    recordings: list[Recording],
    options: Parsed,
    title: str,
    names: list[str],
    *,
    is_page: bool,
) -> str:
    picture = view_recording.chart(
        recordings,
        functions=not options.no_functions,
        flame=options.flame,
        slope=options.slope,
    )
    if picture is None:
        raise NoRecordingError(
            f"{names[0]!a}: one sample alone has no course; record for longer, or with a"
            " shorter --interval"
        )
    if not is_page:
        return picture.svg
    body = view_recording.page_body(recordings, picture, title=title)
    return page(title, body)


def _by_matplotlib(
    recordings: list[Recording], options: Parsed, title: str, target: str | None
) -> None:
    try:
        matplotlib = import_module("matplotlib")
        if options.backend:
            matplotlib.use(options.backend)
        pyplot: Any = import_module("matplotlib.pyplot")
    except ImportError:
        raise MissingPackageError(
            "that needs matplotlib: pip install matplotlib; .html, .svg and .txt do not"
        ) from None
    figure, axes = pyplot.subplots(figsize=(14, 6), dpi=90)
    for recording in recordings:
        begin = recording.begin_s
        for course in (recording.main, *recording.processes):
            times = [time - begin for time in course.time_s]
            label = f"child {course.pid}" if course is not recording.main else "memory"
            (drawn,) = axes.plot(times, course.mib, "+-", label=label)
            if options.slope and len(times) > 1:
                middle, mean = sum(times) / len(times), sum(course.mib) / len(times)
                ends = (times[0], times[-1])
                trend = [mean + course.slope * (time - middle) for time in ends]
                label = f"slope {course.slope:.5f}"
                colour = drawn.get_color()
                axes.plot(ends, trend, "--", linewidth=0.5, color=colour, label=label)
    if not options.no_functions and len(recordings) == 1:
        for span in recordings[0].spans:
            ends = (
                span.start_s - recordings[0].begin_s,
                span.end_s - recordings[0].begin_s,
            )
            label = f"{span.name} {ends[1] - ends[0]:.3f}s"
            axes.plot(ends, (span.start_mib, span.end_mib), "|-", label=label)
    axes.set_xlabel("time (in seconds)")
    axes.set_ylabel("memory used (in MiB)")
    axes.set_title(title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(True)
    if target is None:
        pyplot.show()
        return
    figure.savefig(target, bbox_inches="tight")
    pyplot.close(figure)
    print(f"The plot is in {target}")
