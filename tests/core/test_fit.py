"""The fits of nbprobe._core against laws that are known, and numpy."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbprobe import _core

WIDE = [10.0, 100.0, 1000.0, 10000.0]
WORK: dict[str, Callable[[float], float]] = {
    "O(1)": lambda n: 1.0,
    "O(log n)": math.log2,
    "O(n)": lambda n: n,
    "O(n log n)": lambda n: n * math.log2(n),
    "O(n²)": lambda n: n**2,
    "O(n² log n)": lambda n: n**2 * math.log2(n),
    "O(n³)": lambda n: n**3,
    "O(2ⁿ)": lambda n: 2.0**n,
}
COEFFICIENT = dict(zip(WORK, [200, 50, 3, 1, 0.05, 0.01, 0.002, 0.001], strict=True))

positive = st.floats(min_value=1e-6, max_value=1e6)


def noisy(
    name: str, sizes: Sequence[float], offset: float, noise: float, rng: random.Random
) -> list[float]:
    return [
        (offset + COEFFICIENT[name] * WORK[name](n)) * math.exp(rng.gauss(0, noise))
        for n in sizes
    ]


def share_recognised(name: str, offset: float, noise: float) -> float:
    rng = random.Random(name)
    sizes = [5.0, 10.0, 15.0, 20.0, 25.0] if name == "O(2ⁿ)" else WIDE
    series = (noisy(name, sizes, offset, noise, rng) for _ in range(200))
    return sum(_core.fit_complexity(sizes, t)[0][0] == name for t in series) / 200


@pytest.mark.parametrize("noise", [0.01, 0.05])
@pytest.mark.parametrize("name", WORK)
def test_each_class_is_recognised(name: str, noise: float) -> None:
    # The constant is tested at 95 % against classes that can follow noise.
    least = 0.88 if name == "O(1)" else 0.98
    assert share_recognised(name, 0, noise) >= least


@pytest.mark.parametrize("noise", [0.01, 0.05])
@pytest.mark.parametrize("name", list(WORK)[1:])
def test_each_class_is_recognised_above_an_offset(name: str, noise: float) -> None:
    assert share_recognised(name, 200, noise) >= 0.98


def test_offset_and_coefficient_are_recovered() -> None:
    name, coefficient, offset, error, residuals = _core.fit_complexity(
        WIDE, [200 + 3 * n for n in WIDE]
    )[0]
    assert name == "O(n)"
    assert coefficient == pytest.approx(3)
    assert offset == pytest.approx(200)
    assert error == pytest.approx(0, abs=1e-12)
    assert residuals == pytest.approx([0, 0, 0, 0], abs=1e-12)


@given(st.lists(st.tuples(st.floats(0, 1200), positive), min_size=3, max_size=12))
def test_every_fit_keeps_its_promises(points: list[tuple[float, float]]) -> None:
    sizes, measured = zip(*points, strict=True)
    assume(len(set(sizes)) >= 3)
    fits = _core.fit_complexity(sizes, measured)
    names = [fit[0] for fit in fits]
    assert "O(1)" in names
    assert len(set(names)) == len(names)
    assert ("O(2ⁿ)" in names) <= (max(sizes) <= 1024)
    assert [fit[3] for fit in fits[1:]] == sorted(fit[3] for fit in fits[1:])
    for name, coefficient, offset, error, residuals in fits:
        assert coefficient > 0
        assert offset >= 0
        expected = [offset + coefficient * WORK[name](n) for n in sizes]
        relative = [(t - e) / t for t, e in zip(measured, expected, strict=True)]
        assert residuals == pytest.approx(relative, rel=1e-6, abs=1e-6)
        square = math.fsum(r * r for r in residuals) / len(residuals)
        assert error == pytest.approx(math.sqrt(square), rel=1e-9)


@given(st.lists(st.tuples(st.floats(2, 1e4), positive), min_size=3, max_size=12))
def test_a_free_fit_is_the_least_squares_fit(points: list[tuple[float, float]]) -> None:
    sizes, measured = map(np.array, zip(*points, strict=True))
    assume(np.ptp(sizes) > 1 and len(set(sizes.tolist())) >= 3)
    for name, coefficient, offset, _, _ in _core.fit_complexity(sizes, measured):
        if name in ("O(1)", "O(2ⁿ)") or offset == 0:
            continue
        work = np.array([WORK[name](n) for n in sizes.tolist()])
        columns = np.stack([1 / measured, work / measured])
        gradient = columns @ (1 - offset * columns[0] - coefficient * columns[1])
        scale = np.abs(columns).sum(axis=1)
        assert np.all(np.abs(gradient) <= 1e-6 * scale)


@given(st.floats(-3, 3), positive, st.sets(positive, min_size=3, max_size=20))
def test_a_power_law_is_recovered(
    exponent: float, factor: float, sizes: set[float]
) -> None:
    assume(max(sizes) / min(sizes) > 2)
    x = sorted(sizes)
    found, error = _core.fit_power(x, [factor * n**exponent for n in x])
    assert found == pytest.approx(exponent, abs=1e-9)
    assert error == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(positive, positive), min_size=4, max_size=20))
def test_a_power_law_is_numpys_line(points: list[tuple[float, float]]) -> None:
    x, y = (np.log(column) for column in zip(*points, strict=True))
    assume(np.ptp(x) > 0.1)
    found, error = _core.fit_power(np.exp(x), np.exp(y))
    slope, intercept = np.polyfit(x, y, 1)
    rest = y - slope * x - intercept
    spread = float(((x - x.mean()) ** 2).sum())
    expected = math.sqrt(float((rest**2).sum()) / (len(x) - 2) / spread)
    assert found == pytest.approx(float(slope), rel=1e-6, abs=1e-6)
    assert error == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_sizes_decide_which_classes_are_fitted() -> None:
    def names(sizes: list[float]) -> set[str]:
        return {fit[0] for fit in _core.fit_complexity(sizes, [1.0, 2.0, 3.1, 4.3])}

    every = set(WORK)
    assert names([1, 2, 3, 4]) == every
    assert names([1, 10, 100, 1024]) == every - {"O(2ⁿ)"}
    logarithmic = {"O(log n)", "O(n log n)", "O(n² log n)"}
    assert names([0, 1, 2, 3]) == every - logarithmic
    assert names([-1, 0, 1, 2]) == {"O(1)", "O(2ⁿ)"}
    assert "O(n³)" not in names([1e110, 2e110, 3e110, 4e110])


def test_falling_times_are_constant() -> None:
    fits = _core.fit_complexity([1, 10, 100], [9.0, 5.0, 1.0])
    assert [fit[0] for fit in fits] == ["O(1)"]


@pytest.mark.parametrize("function", [_core.fit_power, _core.fit_complexity])
class TestBadInput:
    def test_few_points(self, function: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="x must hold at least 3 numbers, not 2"):
            function([1, 2], [1.0, 2.0])
        with pytest.raises(ValueError, match="y must not be empty"):
            function([1, 2, 3], [])

    def test_unequal_lengths(self, function: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="of one length, not 3 and 4"):
            function([1, 2, 3], [1, 2, 3, 4])

    def test_equal_sizes(self, function: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="different x"):
            function([5, 5, 5], [1, 2, 3])

    @pytest.mark.parametrize("bad", [0.0, -1.0])
    def test_times_that_are_not_positive(
        self, function: Callable[..., Any], bad: float
    ) -> None:
        with pytest.raises(ValueError, match="positive"):
            function([1, 2, 3], [1.0, bad, 2.0])

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_what_is_not_finite(self, function: Callable[..., Any], bad: float) -> None:
        with pytest.raises(ValueError, match="x must be finite"):
            function([1, bad, 3], [1, 2, 3])
        with pytest.raises(ValueError, match="y must be finite"):
            function([1, 2, 3], [1, 2, bad])

    def test_wrong_types(self, function: Callable[..., Any]) -> None:
        with pytest.raises(TypeError, match="x must be a sequence of numbers"):
            function(3, [1, 2, 3])
        with pytest.raises(TypeError, match=r"y\[1\] must be a real number"):
            function([1, 2, 3], [1, None, 3])
        with pytest.raises(TypeError, match=r"takes 2 arguments \(1 given\)"):
            function([1, 2, 3])

    def test_extremes(self, function: Callable[..., Any]) -> None:
        top = sys.float_info.max
        assert function([1, 2, 3], [top / 4, top / 2, top])
        assert function([1e300, 2e300, 3e300], [1, 2, 3])
        assert function([1, 2, 3], [1e-300, 1.0, 1e300])

    def test_nothing_leaks(
        self,
        function: Callable[..., Any],
        blocks_left_by: Callable[[Callable[[], object]], int],
    ) -> None:
        def use() -> None:
            function([1, 2, 3, 4], [1.5, 2.5, 3.5, 9.5])
            for x in ([], [1, 2], [1, 2, "3"], [1, 1, 1]):
                with pytest.raises((TypeError, ValueError)):
                    function(x, [1.5, 2.5, 3.5])

        assert blocks_left_by(use) < 20
