"""Figures in words; the built-in's own function is the measure of how times are given."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.magics.execution import _format_time

from nbprobe.views import units


@given(
    time=st.floats(0, 1e11) | st.floats(0, 1e-6) | st.floats(1, 1e5),
    precision=st.integers(0, 20),
)
@example(time=59.9999, precision=3)
@example(time=60.0, precision=3)
@example(time=86400.0, precision=3)
@example(time=9.9999e-7, precision=3)
@example(time=1e-10, precision=3)
@example(time=0.0, precision=3)
def test_seconds_are_those_of_the_built_in(time: float, precision: int) -> None:
    assert units.seconds(time, precision) == _format_time(time, precision)


@pytest.mark.parametrize(
    ("time", "text"),
    [(math.nan, "nan ns"), (math.inf, "inf s"), (1e300, "1e+300 s"), (-2e-9, "-2 ns")],
)
def test_times_that_no_clock_gives(time: float, text: str) -> None:
    assert units.seconds(time) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (18.86e-9, 18.94e-9, "18.86 to 18.94 ns"),
        (1e-3, 1.5e-3, "1.00 to 1.50 ms"),
        (0.9e-3, 1.1e-3, "0.90 to 1.10 ms"),
        (5.0, 45.0, "5.0 to 45.0 s"),
        (100e-6, 450e-6, "100 to 450 μs"),
        (50.0, 70.0, "50 s to 1min 10s"),
        (3e-9, 3e-9, "3 to 3 ns"),
        (-1e-14, 1e-9, "0.00 to 1.00 ns"),
        (-1e-10, 2e-10, "-0.1 to 0.2 ns"),
        (math.nan, 1.0, "nan ns to 1 s"),
        (1.0, math.inf, "1 s to inf s"),
    ],
)
def test_interval(low: float, high: float, text: str) -> None:
    assert units.interval(low, high) == text


@given(st.floats(1e-10, 50), st.floats(1e-5, 1))
def test_interval_tells_its_ends_apart(low: float, width: float) -> None:
    text = units.interval(low, low * (1 + width))
    start, _, end = text.partition(" to ")
    assert start != end.split()[0]


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((2.1, 2.0, 2.2), "2.1x slower [2.0, 2.2]"),
        ((0.5, 0.4, 0.6), "2.0x faster [1.7, 2.5]"),
        ((1.004, 1.003, 1.005), "1.004x slower [1.003, 1.005]"),
        ((12_345.0, 12_000.0, 12_700.0), "12,345x slower [12,000, 12,700]"),
        ((1.0, 0.97, 1.04), "no difference beyond noise [0.97, 1.04]"),
        ((1.0, 1.0, 1.0), "no difference beyond noise [1.00, 1.00]"),
        ((0.5, 0.0, math.inf), "0.50x the time, noise not known"),
        ((0.0, 0.0, 0.0), "infx faster [inf, inf]"),
    ],
)
def test_ratio(figures: tuple[float, float, float], text: str) -> None:
    assert units.ratio(*figures) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.123, "12 %"),
        (0.0994, "9.9 %"),
        (0.0021, "0.21 %"),
        (6.9e-7, "<0.001 %"),
        (0.0, "0 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert units.percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10.0, "10"),
        (1e6, "1,000,000"),
        (0.5, "0.5"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
    ],
)
def test_size(number: float, text: str) -> None:
    assert units.size(number) == text


def test_plural() -> None:
    assert units.plural(1, "run") == "1 run"
    assert units.plural(1_000, "run") == "1,000 runs"
    assert units.plural(0, "entry", "entries") == "0 entries"


def test_examples_of_the_documentation() -> None:
    assert doctest.testmod(units).failed == 0
    assert doctest.testmod(units).attempted >= 3


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1023.99 * 1024, "1 MiB"),
        (200 * 2**20 + 1000, "200 MiB"),
        (-(2**30), "-1 GiB"),
        (2**63, "8 EiB"),
        (math.nan, "nan B"),
    ],
)
def test_memory_has_three_digits(number: float, text: str) -> None:
    assert units.memory(number) == text


def test_a_change_of_memory_has_its_sign() -> None:
    assert [units.change(n) for n in (-2048, 0, 2048)] == ["-2 KiB", "0 B", "+2 KiB"]
