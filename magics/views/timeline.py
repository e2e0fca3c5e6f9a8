"""Memory over time as a picture: courses, the functions that ran, a trend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import units
from .colours import AMBER, BLUE, GREEN, GREY, MAGENTA, ORANGE, TEAL, VIOLET
from .drawing import Picture, line, picture, polyline, rect, text, ticks
from .names import shorten

__all__ = ["Bar", "Series", "timeline"]

_LEFT, _RIGHT, _TOP, _WIDTH, _TALL = 70.0, 844.0, 14.0, 860, 230.0
_COLOURS = (BLUE, VIOLET, TEAL, MAGENTA, AMBER, GREEN)
_ROW = 17.0
_LETTER = 6.7  # px, on the average, of the sans-serif letters at size 11

# What one picture holds; the rest is counted in words.
_SERIES, _NAMES, _BARS, _LEVELS = 8, 12, 150, 12

# Beyond this nothing is drawn: no machine has so much, but a file can say so.
_LARGEST = 1e24


@dataclass(frozen=True, slots=True)
class Series:
    """The memory of one process.

    Attributes
    ----------
    name : str
        As the legend gives it; empty for none.
    times : sequence of float
        Seconds, increasing.
    values : sequence of float
        Bytes.
    slope : float or None
        Bytes a second of a trend line to draw through it.
    """

    name: str
    times: Sequence[float]
    values: Sequence[float]
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One run of a function: seconds and bytes of its begin and end, and its depth."""

    name: str
    start: float
    start_value: float
    end: float
    end_value: float
    level: int


def timeline(
    series: Sequence[Series],
    bars: Sequence[Bar] = (),
    *,
    flame: bool = False,
    title: str,
) -> Picture | None:
    """Draw memory over time.

    Parameters
    ----------
    series : sequence of Series
        The highest point of all is marked.
    bars : sequence of Bar
        Functions that ran: a pair of brackets each, or with `flame` a row for each depth
        below the chart.
    title : str
        What it is, for the alternative text.

    Returns
    -------
    Picture or None
        None when there is nothing with an extent in time to draw.
    """
    shown = [_usable(each) for each in series[:_SERIES]]
    shown = [each for each in shown if each.times]
    bars = [bar for bar in bars if _is_ordinary(bar)]
    xs = [time for each in shown for time in each.times]
    xs += [time for bar in bars for time in (bar.start, bar.end)]
    ys = [value for each in shown for value in each.values]
    ys += [value for bar in bars for value in (bar.start_value, bar.end_value)]
    if not shown or not min(xs) < max(xs):
        return None
    chart = _Chart((min(xs), max(xs)), (min(ys), max(ys)))
    chart.axes()
    legend: list[tuple[str, str]] = []
    for index, each in enumerate(shown):
        legend.append(chart.series(each, _COLOURS[index % len(_COLOURS)]))
    highest = max(shown, key=lambda each: max(each.values))
    chart.highest(highest)
    bottom = _TOP + _TALL + 24
    if flame:
        bottom, names = chart.flame(bars[:_BARS], bottom, len(shown))
        legend += names
    else:
        legend += chart.brackets(bars[:_BARS], len(shown))
    if len(series) > len(shown):
        legend.append((GREY, f"and {len(series) - len(shown):,} more processes"))
    if len(bars) > _BARS:
        legend.append((GREY, f"and {len(bars) - _BARS:,} more runs of functions"))
    bottom = chart.legend([each for each in legend if each[1]], bottom)
    peak = max(highest.values)
    alt = (
        f"{title}: {units.seconds(chart.width)}, {units.memory(min(ys))} to"
        f" {units.memory(max(ys))}, {highest.name or 'highest'} {units.memory(peak)}"
    )
    return picture(chart.shapes, alt, _WIDTH, math.ceil(bottom + 6))


def _usable(series: Series) -> Series:
    pairs = [
        (time, value)
        for time, value in zip(series.times, series.values, strict=True)
        if abs(time) < _LARGEST and abs(value) < _LARGEST
    ]
    slope = series.slope
    if slope is not None and not abs(slope) < _LARGEST:
        slope = None
    times, values = tuple(t for t, _ in pairs), tuple(v for _, v in pairs)
    return Series(series.name, times, values, slope)


def _is_ordinary(bar: Bar) -> bool:
    figures = (bar.start, bar.end, bar.start_value, bar.end_value)
    return all(abs(figure) < _LARGEST for figure in figures)


class _Chart:
    """A frame with scales, and what is drawn into it."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float]) -> None:
        self.begin, end = xs
        self.width = end - self.begin
        low, high = ys
        if low < high / 2:
            low = min(low, 0.0)
        room = (high - low or abs(high) or 1.0) * 0.06
        self.low = low if low == 0 else low - room
        self.high = high + room
        self.shapes: list[str] = []

    def x(self, time: float) -> float:
        share = (time - self.begin) / self.width
        return _LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _TOP + (1 - min(max(share, 0.0), 1.0)) * _TALL

    def axes(self) -> None:
        faint = f"stroke='{GREY}' stroke-opacity='.3'"
        for value in _memory_ticks(self.low, self.high):
            y = self.y(value)
            self.shapes.append(line(_LEFT, y, _RIGHT, y, faint))
            self.shapes.append(text(_LEFT - 6, y + 4, units.memory(value), "end"))
        unit, factor = ("s", 1.0) if self.width >= 1 else units.scale(self.width)
        last = _TOP + _TALL
        for tick in ticks(0.0, self.width * factor, 8):
            x = self.x(self.begin + tick / factor)
            self.shapes.append(line(x, last, x, last + 4, f"stroke='{GREY}'"))
            self.shapes.append(text(x, last + 16, f"{tick:.10g} {unit}"))
        self.shapes.append(line(_LEFT, last, _RIGHT, last, f"stroke='{GREY}'"))

    def series(self, series: Series, colour: str) -> tuple[str, str]:
        points = [
            (self.x(time), self.y(value))
            for time, value in _thinned(series, (_RIGHT - _LEFT) / 2)
        ]
        self.shapes.append(polyline(points, f"stroke='{colour}' stroke-width='1.6'"))
        if len(points) == 1:
            self.shapes.append(
                f"<circle cx='{points[0][0]:.1f}' cy='{points[0][1]:.1f}' r='3'"
                f" fill='{colour}'/>"
            )
        if series.slope is None:
            return colour, series.name
        self._trend(series, series.slope, colour)
        return colour, f"{series.name} {units.change(series.slope)}/s".strip()

    def _trend(self, series: Series, slope: float, colour: str) -> None:
        number = len(series.times)
        middle = sum(series.times) / number
        mean = sum(series.values) / number
        ends = [
            (self.x(time), self.y(mean + slope * (time - middle)))
            for time in (series.times[0], series.times[-1])
        ]
        style = f"stroke='{colour}' stroke-width='1' stroke-dasharray='5 4'"
        self.shapes.append(polyline(ends, style))

    def highest(self, series: Series) -> None:
        peak = max(series.values)
        time = series.times[series.values.index(peak)]
        style = f"stroke='{ORANGE}' stroke-dasharray='4 4' stroke-opacity='.8'"
        x, y = self.x(time), self.y(peak)
        self.shapes.append(line(_LEFT, y, _RIGHT, y, style))
        self.shapes.append(line(x, _TOP, x, _TOP + _TALL, style))
        anchor = "start" if x < (_LEFT + _RIGHT) / 2 else "end"
        shift = 5 if anchor == "start" else -5
        style = f"fill='{ORANGE}'"
        self.shapes.append(text(x + shift, y - 4, units.memory(peak, 4), anchor, style))

    def brackets(self, bars: Sequence[Bar], used: int) -> list[tuple[str, str]]:
        """Put each run between brackets; give the legend, a line for each function.

        So many colours are `used` by the courses.
        """
        runs: dict[str, list[float]] = {}
        for bar in bars:
            runs.setdefault(bar.name, []).append(bar.end - bar.start)
        known = list(runs)
        for bar in bars:
            colour = _colour(known.index(bar.name) + used)
            style = f"stroke='{colour}' stroke-width='2'"
            for time, value, side in (
                (bar.start, bar.start_value, 5.0),
                (bar.end, bar.end_value, -5.0),
            ):
                x, y = self.x(time), self.y(value)
                corner = [
                    (x + side, y - 9),
                    (x, y - 9),
                    (x, y + 9),
                    (x + side, y + 9),
                ]
                self.shapes.append(polyline(corner, style))
        legend = []
        for index, (name, times) in enumerate(list(runs.items())[:_NAMES]):
            often = f", {len(times):,} runs" if len(times) > 1 else ""
            took = units.seconds(sum(times))
            colour = _colour(index + used)
            legend.append((colour, f"{shorten(name, 60)} {took}{often}"))
        if len(runs) > _NAMES:
            legend.append((GREY, f"and {len(runs) - _NAMES:,} more functions"))
        return legend

    def flame(
        self, bars: Sequence[Bar], top: float, used: int
    ) -> tuple[float, list[tuple[str, str]]]:
        """Draw a row for each depth; give where the last one ends, and the legend.

        In it are the functions whose bars are all too short for their names.
        """
        known: dict[str, int] = {}
        named: set[str] = set()
        deepest = -1
        for bar in sorted(bars, key=lambda bar: (bar.level, bar.start)):
            if bar.level >= _LEVELS:
                continue
            deepest = max(deepest, bar.level)
            index = known.setdefault(bar.name, len(known))
            left, right = self.x(bar.start), self.x(bar.end)
            y = top + bar.level * _ROW
            style = f"rx='1.5' fill='{_colour(index + used)}'"
            self.shapes.append(
                rect(left, y, max(right - left - 0.8, 0.8), _ROW - 1, style)
            )
            letters = int((right - left - 8) / _LETTER)
            if letters >= 3:
                name = shorten(bar.name, letters)
                self.shapes.append(text(left + 4, y + 12, name, "start", "fill='#fff'"))
                if name == bar.name:
                    named.add(name)
        unnamed = [each for each in known.items() if each[0] not in named]
        legend = [
            (_colour(index + used), shorten(name, 60))
            for name, index in unnamed[:_NAMES]
        ]
        if len(unnamed) > _NAMES:
            legend.append((GREY, f"and {len(unnamed) - _NAMES:,} more functions"))
        return top + (deepest + 1) * _ROW + 6, legend

    def legend(self, entries: Sequence[tuple[str, str]], top: float) -> float:
        """Name the colours, two entries a row; give where the last one ends."""
        if len(entries) < 2 and not any(label for _, label in entries):
            return top
        for index, (colour, label) in enumerate(entries):
            x = _LEFT + (index % 2) * (_RIGHT - _LEFT) / 2
            y = top + index // 2 * _ROW
            self.shapes.append(rect(x, y + 3, 10, 10, f"rx='2' fill='{colour}'"))
            self.shapes.append(text(x + 16, y + 12, label, "start"))
        return top + math.ceil(len(entries) / 2) * _ROW


def _colour(index: int) -> str:
    # The courses come first; the last one is also that of the highest point.
    return (*_COLOURS, ORANGE)[index % (len(_COLOURS) + 1)]


def _memory_ticks(low: float, high: float) -> Iterator[float]:
    """Choose round numbers of the unit in which the largest is written."""
    factor = 1.0
    while max(abs(low), abs(high)) >= factor * 1024:
        factor *= 1024
    yield from (tick * factor for tick in ticks(low / factor, high / factor, 5))


def _thinned(series: Series, columns: float) -> Iterator[tuple[float, float]]:
    """Keep of each column of pixels the first, the lowest and the highest point.

    So that no peak is lost, however many samples there are.
    """
    points = list(zip(series.times, series.values, strict=True))
    per_column = len(points) / columns
    if per_column <= 3:
        yield from points
        return

    def value(index: int) -> float:
        return points[index][1]

    step = math.ceil(per_column)
    for start in range(0, len(points), step):
        group = range(start, min(start + step, len(points)))
        chosen = {group[0], min(group, key=value), max(group, key=value), group[-1]}
        yield from (points[index] for index in sorted(chosen))
