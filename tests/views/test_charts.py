"""The charts: what is drawn where, and when nothing is."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprobe.views import charts

from .gallery import timing

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = st.floats() | st.floats(0, 1)


def elements(picture: charts.Picture | None, tag: str) -> list[ElementTree.Element]:
    assert picture is not None
    return list(ElementTree.fromstring(picture.svg).iter(SVG + tag))


def labels(picture: charts.Picture | None) -> list[str]:
    return [str(element.text) for element in elements(picture, "text")]


def inside(picture: charts.Picture) -> bool:
    """Say whether every place in the drawing is a number, and within its bounds."""
    for element in ElementTree.fromstring(picture.svg).iter():
        for name, limit in (("x", picture.width), ("y", picture.height)):
            if not 0 <= float(element.get(name, 0)) <= limit:
                return False
        if not all(
            math.isfinite(float(element.get(name, 0)))
            and float(element.get(name, 0)) >= 0
            for name in ("width", "height")
        ):
            return False
    return "nan" not in picture.svg and "inf" not in picture.svg


class TestHistogram:
    def test_heights_are_the_counts(self) -> None:
        samples = [1e-6] * 2 + [2e-6] * 8 + [3e-6] * 2
        picture = charts.histogram(samples, (2e-6, 2e-6, 2e-6))
        # The quartiles coincide, so nothing is an outlier by them: all is drawn.
        bars = [float(bar.get("height", 0)) for bar in elements(picture, "rect")[:-1]]
        assert sorted(bars) == [18.0, 18.0, 72.0]

    def test_far_samples_are_counted_at_the_edge(self) -> None:
        samples = [10.0, 11.0, 12.0, 13.0, 14.0, 99.0, 98.0]
        assert "+ 2 slower" in labels(charts.histogram(samples, (11.0, 12.0, 13.0)))

    def test_one_unit_for_the_axis(self) -> None:
        samples = [value * 1e-9 for value in range(900, 1100)]
        shown = labels(charts.histogram(samples, (950e-9, 1000e-9, 1050e-9)))
        assert shown == ["0.9", "0.95", "1", "1.05 μs"]

    @pytest.mark.parametrize(
        "samples",
        [[1.0, 2.0, 3.0, 4.0], [5.0] * 20, [math.nan] * 20, [-1e308, 1e308] * 5],
    )
    def test_nothing_to_draw(self, samples: list[float]) -> None:
        assert charts.histogram(samples, (1.0, 1.0, 1.0)) is None

    @given(st.lists(FIGURES, max_size=30), st.tuples(FIGURES, FIGURES))
    def test_any_samples(
        self, samples: list[float], interval: tuple[float, float]
    ) -> None:
        quartiles = timing(samples_ns=tuple(samples) or (0.0,)).quartiles_ns
        picture = charts.histogram(samples, quartiles, interval=interval)
        assert picture is None or inside(picture)


class TestIntervalBar:
    def test_lengths_share_a_scale(self) -> None:
        half = elements(charts.interval_bar(50, 40, 60, 100), "rect")[0]
        whole = elements(charts.interval_bar(100, 90, 100, 100), "rect")[0]
        assert float(half.get("width", 0)) * 2 == float(whole.get("width", 0))

    def test_whiskers_only_with_an_interval(self) -> None:
        assert len(elements(charts.interval_bar(50, 40, 60, 100), "path")) == 3
        assert elements(charts.interval_bar(50, 50, 50, 100), "path") == []

    @given(FIGURES, FIGURES, FIGURES, FIGURES)
    def test_any_figures(
        self, value: float, low: float, high: float, limit: float
    ) -> None:
        assert inside(charts.interval_bar(value, low, high, limit))


class TestLogLog:
    def test_decades_are_evenly_spaced(self) -> None:
        points = [charts.Point(10.0**k, 1e-9 * 10.0**k, 0, 0) for k in range(1, 5)]
        circles = elements(charts.log_log(points, [], name="n", fit=""), "circle")
        xs = [float(circle.get("cx", 0)) for circle in circles]
        ys = [float(circle.get("cy", 0)) for circle in circles]
        assert [b - a for a, b in pairwise(xs)] == (
            pytest.approx([xs[1] - xs[0]] * 3, abs=0.2)
        )
        assert ys == sorted(ys, reverse=True)

    def test_what_has_no_logarithm_is_left_out(self) -> None:
        points = [
            charts.Point(x, 1.0, 0.9, 1.1) for x in (-1, 0, 1, 2, math.nan, math.inf)
        ]
        picture = charts.log_log(points, [(0, 1), (1, 1)], name="n", fit="O(1)")
        assert len(elements(picture, "circle")) == 2
        assert charts.log_log(points[:3], [], name="n", fit="") is None

    def test_many_points_are_thinned(self) -> None:
        points = [charts.Point(1.0 + x, 1.0, 0.9, 1.1) for x in range(10_000)]
        picture = charts.log_log(points, [], name="n", fit="")
        assert 100 <= len(elements(picture, "circle")) <= 200

    @given(
        st.lists(
            st.builds(charts.Point, FIGURES, FIGURES, FIGURES, FIGURES), max_size=9
        ),
        st.lists(st.tuples(FIGURES, FIGURES), max_size=9),
    )
    def test_any_points(
        self, points: list[charts.Point], fitted: list[tuple[float, float]]
    ) -> None:
        picture = charts.log_log(points, fitted, name="<n>&", fit="O(1)")
        assert picture is None or inside(picture)


class TestSparkline:
    def test_few_or_equal_figures(self) -> None:
        assert charts.sparkline([1.0, 2.0], alt="x") is None
        assert charts.sparkline([1.0] * 100, alt="x") is None

    def test_many_figures(self) -> None:
        picture = charts.sparkline([float(k % 700) for k in range(10_000)], alt="x")
        assert picture is not None
        assert len(picture.svg) < 6_000

    @given(st.lists(FIGURES, max_size=30))
    def test_any_figures(self, values: list[float]) -> None:
        picture = charts.sparkline(values, alt="x")
        assert picture is None or inside(picture)


def test_words_are_escaped_and_cleaned() -> None:
    points = [charts.Point(1, 1, 1, 1), charts.Point(2, 2, 2, 2)]
    picture = charts.log_log(points, [], name="<b>&'\x1b\ud800", fit="")
    assert labels(picture)[-1] == r"<b>&'\x1b\ud800"
