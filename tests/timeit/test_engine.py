"""What the engine runs, how often, and what it leaves behind."""

from __future__ import annotations

import gc
import random
import sys
import time
from typing import Any

import pytest

from nbprobe.code import together
from nbprobe.timeit import TimeitResult, compare, measure, scale
from nbprobe.timeit.engine import Measurement, Settings
from nbprobe.timeit.estimate import conclude
from nbprobe.timeit.subject import Subject

from ..patience import at_best

QUICK = 0.02


@at_best
def test_executions_are_exactly_those_that_happened() -> None:
    calls: list[int] = []
    result = measure("calls.append(1)", globals={"calls": calls}, budget=QUICK)
    assert result.executions == len(calls)
    assert result.method == "slope"


@pytest.mark.parametrize("nap", [0.00002, 0.0005, 0.004])
@at_best
def test_executions_are_exact_for_longer_statements(nap: float) -> None:
    calls: list[float] = []

    def work() -> None:
        time.sleep(nap)
        calls.append(nap)

    result = measure("work()", globals={"work": work}, budget=QUICK)
    assert result.executions == len(calls) >= 3
    assert result.method == "loop"
    assert result.per_loop >= nap


@at_best
def test_setups_are_counted_and_run_before_every_frame() -> None:
    setups: list[int] = []
    result = measure(
        "n + 1", "setups.append(1); n = 3", globals={"setups": setups}, budget=QUICK
    )
    assert result.setups == len(setups) > 1


@at_best
def test_a_dear_setup_is_not_repeated() -> None:
    setups: list[int] = []

    def prepare() -> int:
        time.sleep(0.05)
        setups.append(1)
        return 3

    measure("n + 1", "n = prepare()", globals={"prepare": prepare}, budget=0.03)
    assert len(setups) == 2  # to find the order of magnitude, and to measure


def test_a_statement_longer_than_the_budget_runs_once() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        time.sleep(0.03)

    result = measure("work()", globals={"work": work}, budget=0.02)
    assert len(calls) == result.executions == 1
    assert result.method == "once"
    assert result.ci_ns is None
    assert result.per_loop >= 0.03


@at_best
def test_any_other_statement_runs_at_least_three_times() -> None:
    result = measure("sleep(0.02)", globals={"sleep": time.sleep}, budget=0.06)
    assert result.executions == 3 + 1  # and once more to count allocations
    assert result.cpu_share is not None
    assert result.cpu_share < 0.5


def test_number_and_repeat_are_obeyed_as_the_built_in_does() -> None:
    log: list[str] = []
    result = measure(
        "log.append('x')",
        "log.append('setup')",
        globals={"log": log},
        number=5,
        repeat=3,
    )
    assert log == (["setup"] + ["x"] * 5) * 3
    assert (result.method, result.loops, result.repeat) == ("stock", 5, 3)
    assert result.executions == 15
    assert result.setups == 3
    assert len(result.all_runs) == 3


@at_best
def test_repeat_alone_searches_the_number_as_the_built_in_does() -> None:
    result = measure("sleep(0.03)", globals={"sleep": time.sleep}, repeat=2)
    assert result.loops == 10  # 1 takes 0.03 s, 10 are the first to take 0.2 s
    assert result.executions == 1 + 10 + 2 * 10


@at_best
def test_each_prepares_every_execution_outside_of_the_clock() -> None:
    log: list[str] = []

    def prepare() -> list[int]:
        log.append("each")
        time.sleep(0.002)
        return [1]

    def consume(items: list[int]) -> None:
        items.pop()
        log.append("x")

    result = measure(
        "consume(items)",
        each="items = prepare()",
        globals={"prepare": prepare, "consume": consume},
        budget=QUICK,
    )
    assert log == ["each", "x"] * result.executions
    assert result.method == "each"
    assert result.per_loop < 0.001


def test_the_users_names_are_read_and_never_written() -> None:
    namespace: dict[str, Any] = {"x": 1, "__builtins__": __builtins__}
    before = dict(namespace)
    measure("y = x + z; k = y", "z = 2", globals=namespace, budget=QUICK)
    assert namespace == before


def test_locals_are_known_to_both_and_leak_nowhere() -> None:
    namespace: dict[str, Any] = {"x": "global", "__builtins__": __builtins__}
    seen: list[Any] = []
    measure(
        "seen.append((x, y))",
        "y = x",
        globals=namespace,
        locals={"x": "local", "seen": seen, "not an identifier": 0},
        number=1,
        repeat=1,
    )
    assert seen == [("local", "local")]
    assert namespace["x"] == "global"


def test_a_name_declared_global_is_the_global_one() -> None:
    namespace: dict[str, Any] = {"x": 1, "__builtins__": __builtins__}
    measure("global x; x += 1", globals=namespace, locals={"x": 9}, number=3, repeat=1)
    assert namespace["x"] == 4


@at_best
def test_the_collector_is_off_and_comes_back() -> None:
    seen: list[bool] = []
    result = measure(
        "seen.append(enabled())",
        globals={"seen": seen, "enabled": gc.isenabled},
        budget=QUICK,
    )
    # But for the last pass, which finds out what it would take.
    assert seen == sorted(seen)
    assert False in seen
    assert not result.gc_enabled
    assert gc.isenabled()


def test_a_setup_may_turn_the_collector_on_and_its_share_is_known() -> None:
    callbacks = list(gc.callbacks)
    result = measure(
        "collect()", "import gc; gc.enable(); collect = gc.collect", budget=QUICK
    )
    assert result.gc_enabled
    assert result.gc_collections > 0
    assert 0 < result.gc_ns <= result.measured_ns
    assert gc.callbacks == callbacks


@pytest.mark.parametrize(
    "error",
    [
        ValueError,
        KeyboardInterrupt,
        SystemExit,
        StopIteration,
        GeneratorExit,
        RuntimeError,
    ],
)
def test_exceptions_come_through_and_what_was_measured_is_kept(
    error: type[BaseException],
) -> None:
    calls: list[int] = []
    partial: list[TimeitResult] = []

    def work() -> None:
        calls.append(1)
        time.sleep(0.0004)
        if len(calls) == 20:
            raise error("twentieth")

    with pytest.raises(error, match="twentieth"):
        measure("work()", globals={"work": work}, budget=5, on_partial=partial.append)
    (result,) = partial
    assert result.interrupted
    assert result.executions == 20
    assert result.per_loop >= 0.0004
    assert gc.isenabled()


def test_an_exception_at_once_leaves_nothing_to_keep() -> None:
    partial: list[TimeitResult] = []
    with pytest.raises(ZeroDivisionError):
        measure("1 / zero", "zero = 0", budget=QUICK, on_partial=partial.append)
    assert partial == []


def test_a_setup_that_raises_comes_through() -> None:
    with pytest.raises(NameError, match="nowhere"):
        measure("pass", "nowhere", budget=QUICK)


def test_the_traceback_shows_the_users_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        measure("a = 1\nb = a / zero", "zero = 0", budget=QUICK)
    last = caught.traceback[-1]
    assert str(last.statement).strip() == "b = a / zero"


@pytest.mark.parametrize(
    "code", ["return 1", "break", "continue", "yield 1", "nonlocal x", "1 +", "for"]
)
def test_what_is_no_statement_of_its_own_is_refused(code: str) -> None:
    with pytest.raises(SyntaxError):
        measure(code)
    with pytest.raises(SyntaxError):
        measure("pass", code)


@pytest.mark.parametrize(
    "code", ["1 + 2", "'for x in y: pass'", "(1, 2)", "2 ** 10", "if 0: f()"]
)
@at_best
def test_a_statement_that_compiles_to_nothing_is_said_to(code: str) -> None:
    result = measure(code, budget=QUICK)
    assert result.empty
    assert result.estimate_ns < 0.5


@pytest.mark.parametrize("code", ["pass", "x", "f'{x}'", "x; 1"])
def test_other_statements_are_not(code: str) -> None:
    assert not measure(code, "x = 1", budget=QUICK).empty


@at_best
def test_awaiting_works_in_setup_and_statement() -> None:
    result = measure(
        "await asyncio.sleep(0)", "import asyncio; await asyncio.sleep(0)", budget=QUICK
    )
    assert result.executions > 3
    assert result.per_loop > 0


def test_an_error_of_awaited_code_comes_through() -> None:
    async def fail() -> None:
        raise StopAsyncIteration("over")

    with pytest.raises((StopAsyncIteration, RuntimeError)):
        measure("await fail()", globals={"fail": fail}, budget=QUICK)


def test_the_users_random_numbers_stay_what_they_would_be() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    compare(["pass", "int()"], budget=QUICK)
    assert random.random() == expected


@at_best
def test_statistics_other_than_the_mean() -> None:
    results = {
        statistic: measure("len(t)", "t = (1, 2)", statistic=statistic, budget=0.05)
        for statistic in ("min", "q1", "median", "max")
    }
    for statistic, result in results.items():
        assert result.statistic == statistic
    low = results["min"]
    assert low.estimate_ns == min(low.samples_ns)
    assert results["max"].estimate_ns == max(results["max"].samples_ns)
    assert low.ci_ns is None
    median = results["median"]
    assert median.ci_ns is not None
    assert median.ci_ns[0] <= median.estimate_ns <= median.ci_ns[1]


def test_counters_count_or_say_why_not() -> None:
    result = measure("x = [0] * 1000", counters=True, budget=QUICK)
    assert result.counters or result.counters_note
    assert all(isinstance(value, float) for value in result.counters.values())


def test_measuring_inside_of_a_measured_statement() -> None:
    inner: list[TimeitResult] = []

    def nested() -> None:
        inner.append(measure("pass", number=10, repeat=1))

    outer = measure("nested()", globals={"nested": nested}, number=2, repeat=1)
    assert len(inner) == outer.executions == 2
    assert gc.isenabled()


def test_other_threads_may_measure_at_the_same_time() -> None:
    import threading

    results: list[TimeitResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(measure("x = 1", budget=QUICK)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result.executions > 0 for result in results)
    assert gc.isenabled()


class TestCompare:
    """Several statements in turns."""

    @at_best
    def test_a_clear_difference_is_named(self) -> None:
        comparison = compare(
            ["f(2000)", "f(500)"], "f = lambda n: [i for i in range(n)]", budget=0.1
        )
        ratio = comparison.ratios[1]
        assert ratio.verdict == "faster"
        assert 0.1 < ratio.low <= ratio.value <= ratio.high < 0.6
        assert comparison.fastest is comparison.results[1]

    def test_labels_and_sources(self) -> None:
        plain = compare(["pass", "int()"], budget=QUICK)
        assert [result.label for result in plain.results] == ["pass", "int()"]
        named = compare(["pass", "int()"], labels=["a", "b"], budget=QUICK)
        assert [result.label for result in named.results] == ["a", "b"]

    def test_they_take_turns(self) -> None:
        log: list[str] = []
        compare(
            ["log.append('a')", "log.append('b')"],
            globals={"log": log},
            number=2,
            repeat=20,
        )
        assert log.count("a") == log.count("b") == 40
        first = [log[index] for index in range(0, len(log), 2)]
        assert first != sorted(first)
        assert (
            max(
                len(run)
                for run in "".join(first)
                .replace("ab", "a b")
                .replace("ba", "b a")
                .split()
            )
            < 20
        )

    def test_an_exception_keeps_the_comparison_so_far(self) -> None:
        partial: list[Any] = []
        calls: list[int] = []

        def work() -> None:
            calls.append(1)
            time.sleep(0.001)
            if len(calls) == 60:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compare(
                ["work()", "work()"],
                globals={"work": work},
                budget=5,
                on_partial=partial.append,
            )
        (comparison,) = partial
        assert comparison.interrupted
        assert len(comparison.results) == 2

    def test_one_statement_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least two"):
            compare(["pass"])
        with pytest.raises(ValueError, match="one label for each"):
            compare(["pass", "1"], labels=["a"])


class TestScale:
    """One statement over sizes."""

    def test_the_size_is_known_to_setup_and_statement(self) -> None:
        seen: set[tuple[int, int]] = set()
        scaling = scale(
            "seen.add((n, m))",
            "m = n",
            name="n",
            values=[1, 2],
            globals={"seen": seen},
            budget=QUICK,
        )
        assert seen == {(1, 1), (2, 2)}
        assert scaling.values == (1.0, 2.0)
        assert [result.label for result in scaling.results] == ["n=1", "n=2"]

    @at_best
    def test_a_linear_statement_is_found_linear(self) -> None:
        scaling = scale(
            "sum(data)",
            "data = [1] * n",
            name="n",
            values=[1000, 4000, 16000, 64000],
            budget=0.05,
        )
        assert 0.8 < scaling.exponent < 1.2
        assert scaling.fits[0].name in ("O(n)", "O(n log n)")

    def test_an_exception_keeps_the_sizes_so_far(self) -> None:
        partial: list[Any] = []
        with pytest.raises(ZeroDivisionError):
            scale(
                "1 / n",
                name="n",
                values=[2, 1, 0, 3],
                budget=QUICK,
                on_partial=partial.append,
            )
        (scaling,) = partial
        assert scaling.values == (2.0, 1.0)
        assert scaling.interrupted

    def test_bad_sizes_are_refused(self) -> None:
        with pytest.raises(ValueError, match="identifier"):
            scale("pass", name="1n", values=[1])
        with pytest.raises(ValueError, match="at least one value"):
            scale("pass", name="n", values=[])


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("number", -1, "must not be negative"),
        ("repeat", -1, "must not be negative"),
        ("budget", 0, "positive number of seconds"),
        ("budget", -1.0, "positive number of seconds"),
        ("budget", float("nan"), "positive number of seconds"),
        ("budget", float("inf"), "positive number of seconds"),
        ("clock", "sun", "clock must be one of"),
        ("statistic", "mode", "statistic must be one of"),
        ("precision", -1, "precision must be"),
    ],
)
def test_arguments_out_of_range_are_refused(
    argument: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measure("pass", **{argument: value})


def test_nothing_is_left_switched_on() -> None:
    before = sys.gettrace(), sys.getprofile(), list(gc.callbacks), gc.isenabled()
    measure("x = 1", budget=QUICK)
    assert (
        sys.gettrace(),
        sys.getprofile(),
        list(gc.callbacks),
        gc.isenabled(),
    ) == before


def fake_measurement(units: list[list[float]], method: str = "slope") -> Measurement:
    """Give the samples of a statement without measuring one."""
    code, body = together("pass", "work()")
    measurement = Measurement(Subject(code, body, None, {}, {}), Settings())
    measurement.units = units
    measurement.method = method
    return measurement


class TestConclude:
    """What is made of samples that are known."""

    def test_units_that_stick_out_are_dropped_and_counted(self) -> None:
        quiet = [[10.0 + 0.01 * (index % 5)] * 8 for index in range(20)]
        noisy = [[17.0] * 8, [12.0] * 8]
        result = conclude(fake_measurement(quiet[:10] + noisy + quiet[10:]))
        assert result is not None
        assert result.disturbed == 16
        assert result.estimate_ns == pytest.approx(10.02)
        assert len(result.samples_ns) == 160

    def test_a_neighbour_may_slow_most_of_the_time_down(self) -> None:
        quiet = [[13.0 + 0.05 * (index % 5)] * 4 for index in range(40)]
        slowed = [[20.0 + 0.4 * (index % 7)] * 4 for index in range(60)]
        result = conclude(fake_measurement(quiet[:20] + slowed + quiet[20:]))
        assert result is not None
        assert result.disturbed == 240
        assert result.estimate_ns == pytest.approx(13.1)

    def test_a_slow_processor_is_seen_by_its_pace(self) -> None:
        # More often slow than not, and without a step in the figures.
        quiet = [[13.0 + 0.3 * (index % 7)] * 4 for index in range(15)]
        slowed = [[14.8 + 0.01 * (index % 7)] * 4 for index in range(85)]
        measurement = fake_measurement(quiet + slowed)
        measurement.paces = [760.0 + 10 * (index % 3) for index in range(15)]
        measurement.paces += [1300.0] * 85
        result = conclude(measurement)
        assert result is not None
        assert result.estimate_ns == pytest.approx(13.88, abs=0.1)
        # Where it was never better, the figures are all that there is.
        measurement.paces = [1300.0] * 100
        result = conclude(measurement)
        assert result is not None
        assert result.estimate_ns == pytest.approx(14.8, abs=0.1)

    @at_best
    def test_each_unit_has_a_pace(self) -> None:
        for statement in ("x = 1", "sum(range(10**4))"):
            code, body = together("pass", statement)
            measurement = Measurement(
                Subject(code, body, None, {}, {}), Settings(budget=QUICK)
            )
            for request in measurement.plan():
                if request is not None:
                    next(request, None)
            assert len(measurement.paces) == len(measurement.units) > 0
            assert min(measurement.paces) > 0

    def test_places_in_memory_that_differ_a_little_all_count(self) -> None:
        places = [[20.0 + 0.5 * (index % 2)] * 4 for index in range(40)]
        result = conclude(fake_measurement(places))
        assert result is not None
        assert result.disturbed == 0
        assert result.estimate_ns == pytest.approx(20.25)

    def test_a_series_without_scatter_is_kept_whole(self) -> None:
        result = conclude(fake_measurement([[10.0] * 8] * 20))
        assert result is not None
        assert result.disturbed == 0
        assert result.ci_ns == (10.0, 10.0)

    def test_single_long_executions_are_all_kept(self) -> None:
        units = [[5e6]] * 10 + [[9e7]]
        result = conclude(fake_measurement(units, "loop"))
        assert result is not None
        assert result.disturbed == 0
        assert max(result.samples_ns) == 9e7

    def test_preempted_samples_are_counted_and_left_out(self) -> None:
        measurement = fake_measurement([[1.0], [1.0], [1.0]])
        measurement.aside = [5.0, 6.0]
        result = conclude(measurement)
        assert result is not None
        assert (result.preempted, result.estimate_ns) == (2, 1.0)

    def test_preempted_samples_serve_where_there_are_no_others(self) -> None:
        measurement = fake_measurement([], "loop")
        measurement.aside = [4.0, 6.0]
        result = conclude(measurement)
        assert result is not None
        assert (result.preempted, result.estimate_ns) == (0, 5.0)

    def test_no_sample_is_no_result(self) -> None:
        assert conclude(fake_measurement([])) is None

    def test_runs_are_seven_stretches_of_time(self) -> None:
        units = [[float(100 + index)] for index in range(14)]
        result = conclude(fake_measurement(units))
        assert result is not None
        assert result.runs_ns == (100.5, 102.5, 104.5, 106.5, 108.5, 110.5, 112.5)


@pytest.mark.parametrize(
    "statement, blocks, size",
    [
        ("pass", 0, 0),
        ("bytes(1000)", 1, 1000 + sys.getsizeof(b"")),
        ("[bytes(100) for _ in range(50)]", 50, 50 * (100 + sys.getsizeof(b""))),
        ("x = bytes(3_000_000)", 1, 3_000_000),
    ],
)
@at_best
def test_allocations_are_those_of_one_execution(
    statement: str, blocks: int, size: int
) -> None:
    # Enough for a busy machine: what fills the budget at once is not run again.
    result = measure(statement, budget=10 * QUICK)
    assert result.allocations is not None and result.allocated_bytes is not None
    # A list that grows, and what the interpreter makes on its own account.
    assert blocks <= result.allocations <= 1.3 * blocks + 4
    assert size <= result.allocated_bytes <= 1.3 * size + 200
    if blocks == 1:
        assert result.allocations == 1


@at_best
def test_arrays_are_among_what_is_allocated() -> None:
    result = measure("numpy.ones(100_000)", "import numpy", budget=10 * QUICK)
    assert result.allocated_bytes is not None
    assert 800_000 <= result.allocated_bytes < 810_000


@at_best
def test_the_collector_s_share_is_found_with_the_collector_on() -> None:
    result = measure("[[] for _ in range(3000)]", budget=0.05)
    assert not result.gc_enabled
    assert result.gc_share is not None and 0 < result.gc_share < 1
    assert gc.isenabled()


def test_no_pass_for_allocations_where_the_executions_are_counted() -> None:
    for asked in ({"number": 3}, {"repeat": 1}, {"each": "y = 1"}):
        result = measure("x = [0]", budget=QUICK, **asked)  # type: ignore[arg-type]
        assert result.allocations is result.gc_share is None


@at_best
def test_the_pass_for_allocations_runs_no_setup() -> None:
    calls: list[int] = []
    result = measure(
        "x = [0]", "calls.append(1)", globals={"calls": calls}, budget=QUICK
    )
    assert result.allocations is not None
    assert len(calls) == result.setups
