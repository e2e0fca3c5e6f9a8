"""Charts as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from . import units
from .colours import BLUE, GREY, ORANGE
from .drawing import Picture, line, picture, polyline, rect, text, ticks

__all__ = ["Picture", "Point", "histogram", "interval_bar", "log_log", "sparkline"]

_WIDTH = 440
_POINTS = 200
_FEW = 10

# Seconds, between which figures are drawn. No clock gives others, but a file can hold them.
_LEAST, _LARGEST = 1e-18, 1e18


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Point:
    """A measured point: y with its interval."""

    x: float
    y: float
    low: float
    high: float


def histogram(
    samples: Sequence[float],
    quartiles: tuple[float, float, float],
    *,
    interval: tuple[float, float] | None = None,
) -> Picture | None:
    """Draw how often each time occurred, over a box that marks the quartiles.

    Parameters
    ----------
    samples : sequence of float
        Times in seconds.
    quartiles : tuple of three floats
        First quartile, median and third quartile, seconds.
    interval : tuple of two floats, optional
        Interval of the estimate, seconds: a mark below the bars.

    Returns
    -------
    Picture or None
        None when there are too few samples for a distribution (fewer than 5), or no spread.

    Notes
    -----
    Samples more than three times the interquartile range away are counted at the edge and
    not drawn: one of them would squeeze all others into a single bar.
    """
    usable = [sample for sample in samples if abs(sample) < _LARGEST]
    q1, median, q3 = quartiles
    if len(usable) < 5 or not -_LARGEST < q1 <= median <= q3 < _LARGEST:
        return None
    low = max(min(usable), q1 - 3 * (q3 - q1))
    high = min(max(usable), q3 + 3 * (q3 - q1))
    if not low < high:
        low, high = min(usable), max(usable)
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        return None
    shown = [sample for sample in usable if low <= sample <= high]
    left, right, base, tall = 8.0, _WIDTH - 8.0, 84.0, 72.0

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return left + min(max(share, 0.0), 1.0) * (right - left)

    counts = _bins(shown, low, high, q3 - q1)
    step = (right - left) / len(counts)
    shapes = [
        rect(
            left + index * step + 0.5,
            base - number / max(counts) * tall,
            step - 1,
            number / max(counts) * tall,
            f"fill='{BLUE}' fill-opacity='.8'",
        )
        for index, number in enumerate(counts)
        if number
    ]
    if interval and interval[0] < high and interval[1] > low:
        start, end = place(interval[0]), place(interval[1])
        middle, span = (start + end) / 2, max(end - start, 3.0)
        style = f"rx='1.5' fill='{ORANGE}'"
        shapes.append(rect(middle - span / 2, base + 2.5, span, 4, style))
    shapes.append(line(left, base + 0.5, right, base + 0.5, f"stroke='{GREY}'"))
    shapes += _box(place(low), place(q1), place(median), place(q3), place(high))
    shapes += _time_axis(low, high, place, 124)
    faster = sum(sample < low for sample in usable)
    slower = sum(sample > high for sample in usable)
    if slower:
        shapes.append(text(right, 18, f"+ {slower:,} slower", "end"))
    if faster:
        shapes.append(text(left, 18, f"+ {faster:,} faster", "start"))
    alt = (
        f"Histogram of {units.plural(len(usable), 'sample')}: median"
        f" {units.seconds(median)}, quartiles {units.seconds(q1)} and {units.seconds(q3)},"
        f" range {units.seconds(min(usable))} to {units.seconds(max(usable))}"
    )
    return picture(shapes, alt, _WIDTH, 130)


def _bins(
    samples: Sequence[float], low: float, high: float, spread: float
) -> list[int]:
    """Count the samples in equal steps, as wide as Freedman and Diaconis advise."""
    wide = 2 * spread / len(samples) ** (1 / 3)
    number = 40 if wide * 40 <= high - low else max(8, math.ceil((high - low) / wide))
    counts = [0] * number
    for sample in samples:
        counts[min(int((sample - low) / (high - low) * number), number - 1)] += 1
    return counts


def _box(low: float, q1: float, median: float, q3: float, high: float) -> list[str]:
    y = 101.0
    return [
        line(low, y, high, y, f"stroke='{GREY}' stroke-opacity='.6'"),
        rect(q1, y - 4, max(q3 - q1, 1), 8, f"rx='1.5' fill='{GREY}'"),
        line(median, y - 7, median, y + 7, f"stroke='{BLUE}' stroke-width='3'"),
    ]


def _time_axis(
    low: float, high: float, place: Callable[[float], float], y: float
) -> Iterator[str]:
    unit, factor = units.scale(max(abs(low), abs(high)))
    round_times = ticks(low * factor, high * factor)
    for tick in round_times:
        label = f"{tick:.10g}" + (f" {unit}" if tick == round_times[-1] else "")
        half = len(label) * 3.2  # so that it does not stand over the edge
        yield text(min(max(place(tick / factor), half), _WIDTH - half), y, label)


def interval_bar(
    value: float,
    low: float,
    high: float,
    limit: float,
    *,
    colour: str = BLUE,
    width: int = 200,
) -> Picture:
    """Draw one horizontal bar of a chart, with its interval as whiskers.

    Parameters
    ----------
    value, low, high : float
        The figure and its interval, in any unit.
    limit : float
        The figure at the right edge, common to all bars of the chart.
    colour : str
        Of the bar.
    width : int
        Of a bar as long as the limit, pixels.
    """
    height = 16
    ordinary = _positive(limit)

    def place(figure: float) -> float:
        if not ordinary or math.isnan(figure):
            return 0.0
        return min(max(figure / limit, 0.0), 1.0) * (width - 4)

    middle = height / 2
    start, end = place(low), place(high)
    shapes = [
        rect(
            0,
            3,
            max(place(value), 1),
            10,
            f"rx='1.5' fill='{colour}' fill-opacity='.8'",
        )
    ]
    if end > start:
        style = f"stroke='{ORANGE}' stroke-width='1.5'"
        shapes.append(line(start, middle, end, middle, style))
        shapes += [line(x, 4.5, x, height - 4.5, style) for x in (start, end)]
    alt = f"{units.percent(value / limit)} of the longest" if ordinary else ""
    return picture(shapes, alt, width, height)


def log_log(
    points: Sequence[Point],
    fitted: Sequence[tuple[float, float]],
    *,
    name: str,
    fit: str,
) -> Picture | None:
    """Draw times over sizes on logarithmic scales, with the fitted curve.

    Parameters
    ----------
    points : sequence of Point
        Sizes, and times in seconds.
    fitted : sequence of (float, float)
        Points of the curve; empty for none.
    name, fit : str
        What the sizes are; what the curve is.

    Returns
    -------
    Picture or None
        None when fewer than two points can be drawn on such scales.
    """
    points = _thinned([point for point in points if _positive(point.x, point.y)])
    curve = _thinned(sorted(pair for pair in fitted if _positive(*pair)))
    if len(points) < 2:
        return None
    width, height = _WIDTH, 260
    xs = _LogAxis([point.x for point in points], 56, width - 16)
    bounds = [b for point in points for b in (point.low, point.high) if _positive(b)]
    times = [point.y for point in points] + bounds + [y for _, y in curve]
    ys = _LogAxis(times, height - 34, 12)

    faint = f"stroke='{GREY}' stroke-opacity='.3'"
    shapes = []
    for tick in xs.ticks():
        x = xs.place(tick)
        shapes.append(line(x, 12, x, height - 34, faint))
        shapes.append(text(x, height - 20, _short(tick)))
    for tick in ys.ticks():
        y = ys.place(tick)
        shapes.append(line(56, y, width - 16, y, faint))
        shapes.append(text(50, y + 4, units.seconds(tick), "end"))
    shapes.append(text((56 + width - 16) / 2, height - 4, name))
    if curve:
        path = [(xs.place(x), ys.place(y)) for x, y in curve]
        shapes.append(polyline(path, f"stroke='{ORANGE}' stroke-width='2'"))
    for point in points:
        x = xs.place(point.x)
        if _positive(point.low, point.high):
            bottom, top = ys.place(point.low), ys.place(point.high)
            shapes.append(line(x, bottom, x, top, f"stroke='{BLUE}' stroke-width='2'"))
        shapes.append(
            f"<circle cx='{x:.1f}' cy='{ys.place(point.y):.1f}' r='4' fill='{BLUE}'/>"
        )
    alt = (
        f"Times over {name} on logarithmic scales, from {units.seconds(points[0].y)} at"
        f" {units.size(points[0].x)} to {units.seconds(points[-1].y)} at"
        f" {units.size(points[-1].x)}" + (f"; fitted: {fit}" if curve else "")
    )
    return picture(shapes, alt, width, height)


def _thinned(items: list[_Item]) -> list[_Item]:
    """Keep as many items as a picture of this size can show apart."""
    return items[:: math.ceil(len(items) / _POINTS) or 1]


def _positive(*figures: float) -> bool:
    return all(_LEAST < figure < _LARGEST for figure in figures)


def _short(number: float) -> str:
    return units.size(number) if 0.001 <= number < 1e6 else f"{number:.0e}"


class _LogAxis:
    """A logarithmic scale from pixel `start` to pixel `end`, with a little room."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = math.log10(min(values)), math.log10(max(values))
        room = max((self.high - self.low) * 0.05, 0.05)
        self.low -= room
        self.high += room
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Choose decades, every so many of them, or 1-2-5 steps within a narrow range."""
        first, last = math.ceil(self.low), math.floor(self.high)
        if last - first >= 2:
            step = max(1, (last - first) // 5)
            return [_power(decade) for decade in range(first, last + 1, step)]
        steps = [
            digit * _power(decade)
            for decade in range(math.floor(self.low), last + 1)
            for digit in (1, 2, 5)
        ]
        return [tick for tick in steps if self.low <= math.log10(tick) <= self.high]


def _power(decade: int) -> float:
    # Not 10.0 ** decade, which misses the nearest double of some negative powers.
    return float(f"1e{decade}")


def sparkline(values: Sequence[float], *, alt: str) -> Picture | None:
    """Draw figures in their order, small, to see whether they drift.

    Parameters
    ----------
    values : sequence of float
        In any unit; more than fit are drawn as the medians of neighbours.
    alt : str
        What it says in words.

    Returns
    -------
    Picture or None
        None when there are too few figures for a course (fewer than 10), or no spread.
    """
    values = [value for value in values if abs(value) < _LARGEST]
    per_pixel = max(1, math.ceil(len(values) / (_WIDTH // 2)))
    groups = [
        sorted(values[start : start + per_pixel])
        for start in range(0, len(values), per_pixel)
    ]
    medians = [group[len(group) // 2] for group in groups]
    if len(values) < _FEW or not min(medians) < max(medians):
        return None
    low, high = min(medians), max(medians)
    path = [
        (
            4 + index / (len(medians) - 1) * (_WIDTH - 8),
            32 - (median - low) / (high - low) * 28,
        )
        for index, median in enumerate(medians)
    ]
    shapes = [polyline(path, f"stroke='{BLUE}' stroke-width='1.2'")]
    return picture(shapes, alt, _WIDTH, 36)
