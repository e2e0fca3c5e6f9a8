"""The statistics of nbprobe._core against the standard library and numpy."""

from __future__ import annotations

import array
import math
import random
import statistics
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprobe import _core

times = st.floats(min_value=-1e12, max_value=1e12, allow_subnormal=False)
series = st.lists(times, min_size=1, max_size=60)

of_samples: list[Callable[[Any], object]] = [
    lambda samples: _core.quantile(samples, 0.5),
    _core.outliers,
    _core.mean_interval,
    _core.steady_from,
]


class Unruly:
    """Looks like a number until somebody asks."""

    def __float__(self) -> float:
        raise ZeroDivisionError("mine")


@given(series, st.floats(0, 1))
def test_quantile_is_numpys_default(samples: list[float], q: float) -> None:
    scale = max(map(abs, samples))
    expected = float(np.quantile(samples, q))
    assert _core.quantile(samples, q) == pytest.approx(expected, abs=1e-12 * scale)


@given(series)
def test_median_and_extremes(samples: list[float]) -> None:
    assert _core.quantile(samples, 0) == min(samples)
    assert _core.quantile(samples, 1) == max(samples)
    expected = statistics.median(samples)
    assert _core.quantile(samples, 0.5) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(st.lists(times, min_size=2, max_size=60))
def test_mean_interval_agrees_with_the_standard_library(samples: list[float]) -> None:
    scale = max(map(abs, samples))
    mean, low, high = _core.mean_interval(samples)
    half = _core.student_t(len(samples) - 1) * statistics.stdev(samples)
    half /= math.sqrt(len(samples))
    assert mean == pytest.approx(statistics.fmean(samples), abs=1e-12 * scale)
    assert high - mean == pytest.approx(half, abs=1e-11 * scale)
    assert mean - low == pytest.approx(half, abs=1e-11 * scale)


@given(series)
def test_outliers_are_counted_by_tukeys_fences(samples: list[float]) -> None:
    samples = [round(sample) for sample in samples]
    q1, q3 = _core.quantile(samples, 0.25), _core.quantile(samples, 0.75)
    outside = [max(q1 - s, s - q3) for s in samples]
    beyond = [sum(o > k * (q3 - q1) for o in outside) for k in (1.5, 3)]
    mild, severe = _core.outliers(samples)
    assert (mild + severe, severe) == (beyond[0], beyond[1])


@pytest.mark.parametrize(
    ("df", "confidence", "expected"),
    [  # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2
        (1, 0.95, 12.706),
        (4, 0.98, 3.747),
        (9, 0.95, 2.262),
        (9, 0.998, 4.297),
        (60, 0.90, 1.671),
        (100, 0.99, 2.626),
    ],
)
def test_student_t_is_the_published_one(
    df: float, confidence: float, expected: float
) -> None:
    assert _core.student_t(df, confidence) == pytest.approx(expected, abs=0.0005)


@given(st.floats(0.001, 0.999999))
def test_student_t_of_endless_freedom_is_normal(confidence: float) -> None:
    normal = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    assert _core.student_t(math.inf, confidence) == pytest.approx(normal, rel=1e-9)


@given(st.floats(1, 1e6), st.floats(0.01, 0.999))
def test_student_t_falls_with_freedom_and_grows_with_confidence(
    df: float, confidence: float
) -> None:
    t = _core.student_t(df, confidence)
    assert _core.student_t(df * 1.5, confidence) < t
    assert _core.student_t(df, confidence + 0.0005) > t


def test_student_t_covers_95_percent_by_default() -> None:
    assert _core.student_t(9) == _core.student_t(9, 0.95)


def test_steady_noise_has_no_warm_up() -> None:
    rng = random.Random(3)
    cut = 0
    for _ in range(500):
        noise = [100 + rng.lognormvariate(0, 1.5) for _ in range(200)]
        cut += _core.steady_from(noise) > 0
    assert cut <= 5


def test_the_end_of_a_warm_up_is_found() -> None:
    rng = random.Random(4)
    samples = [100 + rng.random() for _ in range(400)]
    for i in range(80):
        samples[i] += 2 + 40 * (1 - i / 80)
    assert _core.steady_from(samples) == pytest.approx(80, abs=8)


@given(st.lists(times, min_size=1, max_size=200))
def test_at_least_half_is_always_left(samples: list[float]) -> None:
    assert 0 <= _core.steady_from(samples) <= len(samples) // 2


@given(series)
def test_every_kind_of_series_gives_the_same(samples: list[float]) -> None:
    expected = _core.quantile(samples, 0.3)
    doubles = array.array("d", samples)
    assert _core.quantile(tuple(samples), 0.3) == expected
    assert _core.quantile(iter(samples), 0.3) == expected
    assert _core.quantile(doubles, 0.3) == expected
    assert _core.quantile(memoryview(doubles)[::-1], 0.3) == expected
    assert _core.quantile(np.repeat(samples, 2)[::2], 0.3) == expected


def test_numbers_of_other_kinds_are_converted() -> None:
    assert _core.quantile([1, True, np.float32(4), 3.0], 1) == 4
    assert _core.quantile(np.arange(5), 0.5) == 2
    assert _core.quantile(np.arange(5, dtype=">f8"), 0.5) == 2
    assert _core.quantile(range(5), 0.5) == 2


def test_samples_are_left_in_their_order() -> None:
    samples = array.array("d", [3, 1, 2])
    _core.quantile(samples, 0.5)
    _core.outliers(samples)
    assert samples.tolist() == [3, 1, 2]


@pytest.mark.parametrize("function", of_samples)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_are_refused(
    function: Callable[[Any], object], bad: float
) -> None:
    for kind in (list, np.array):
        with pytest.raises(ValueError, match=r"^samples must be finite.*samples\[2\]"):
            function(kind([1.0, 2.0, bad, 3.0]))


@pytest.mark.parametrize("function", of_samples)
@pytest.mark.parametrize("empty", [[], (), array.array("d"), np.array([])])
def test_no_samples_are_refused(function: Callable[[Any], object], empty: Any) -> None:
    with pytest.raises(ValueError, match="samples must not be empty"):
        function(empty)


@pytest.mark.parametrize("function", of_samples)
@pytest.mark.parametrize(
    "wrong", [None, 3, "123", b"12345678", bytearray(8), {1.0: 2.0}, object()]
)
def test_what_is_no_series_is_refused(
    function: Callable[[Any], object], wrong: Any
) -> None:
    name = type(wrong).__name__
    with pytest.raises(TypeError, match=f"samples must be a sequence .* not {name}"):
        function(wrong)


@pytest.mark.parametrize("function", of_samples)
def test_an_item_that_is_no_number_is_named(function: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"samples\[1\] must be a real number, not str"):
        function([1.0, "2", 3.0])
    with pytest.raises(TypeError, match=r"samples\[0\] must be a real number, not "):
        function(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"samples\[0\] is too large for a float"):
        function([10**400, 1.0])
    with pytest.raises(ZeroDivisionError, match="mine"):
        function([1.0, Unruly()])


def test_a_list_may_change_while_it_is_read() -> None:
    samples: list[Any] = [1.0, 2.0, 3.0]

    class Clearing:
        def __float__(self) -> float:
            samples.clear()
            return 4.0

    samples.insert(0, Clearing())
    assert _core.quantile(samples, 1) == 4.0


def test_huge_samples_give_no_nan() -> None:
    huge = [sys.float_info.max, -sys.float_info.max, sys.float_info.max]
    assert _core.quantile(huge, 0.25) == pytest.approx(0, abs=1)
    assert _core.mean_interval(huge)[0] == pytest.approx(sys.float_info.max / 3)
    assert _core.outliers(huge) == (0, 0)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan, math.inf])
def test_quantile_out_of_range(q: float) -> None:
    with pytest.raises(ValueError, match="q must be from 0 to 1"):
        _core.quantile([1.0], q)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95, math.nan])
def test_confidence_out_of_range(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        _core.student_t(3, confidence)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        _core.mean_interval([1.0, 2.0], confidence)


@pytest.mark.parametrize("df", [0, 0.5, -3, math.nan])
def test_freedom_out_of_range(df: float) -> None:
    with pytest.raises(ValueError, match="df must be at least 1"):
        _core.student_t(df)


def test_one_sample_has_no_interval() -> None:
    with pytest.raises(ValueError, match="samples must hold at least 2 numbers, not 1"):
        _core.mean_interval([1.0])


def test_wrong_numbers_of_arguments_are_refused() -> None:
    functions: list[Any] = [_core.quantile, _core.student_t, _core.mean_interval]
    for function in functions:
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) takes"):
            function()
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) takes"):
            function([1.0, 2.0], 0.5, 3)


def test_nothing_leaks(blocks_left_by: Callable[[Callable[[], object]], int]) -> None:
    def use() -> None:
        for function in of_samples:
            function([1.5, 2.5, 3.5] * 20)
            for bad in ([], [1.0, "x"], [math.nan], "text", [10**400]):
                with pytest.raises((TypeError, ValueError)):
                    function(bad)

    assert blocks_left_by(use) < 20
