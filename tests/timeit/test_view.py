"""The views of timings: the built-in's text to the letter, and what is said beyond it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.magics.execution import TimeitResult as BuiltIn

from nbprobe.timeit import view
from nbprobe.timeit.result import Ratio

from ..views.gallery import comparison, scaling, stock, tie, timing


def lines(**changes: Any) -> list[str]:
    return view.text(timing(**changes)).splitlines()


def line(name: str, **changes: Any) -> str:
    """Give what one of the lines below the figure says; empty when there is none."""
    found = [text for text in lines(**changes) if text.startswith(name + "  ")]
    assert len(found) <= 1
    return found[0].removeprefix(name).strip() if found else ""


class TestBuiltInText:
    @given(
        runs=st.lists(st.floats(1e-1, 1e12), min_size=1, max_size=9),
        loops=st.integers(1, 10**9),
        precision=st.integers(1, 12),
    )
    def test_first_line(self, runs: list[float], loops: int, precision: int) -> None:
        # GIVEN what the built-in would have measured
        seconds = [run / 1e9 for run in runs]
        theirs = BuiltIn(
            loops,
            len(runs),
            min(seconds),
            max(seconds),
            [time * loops for time in seconds],
            0.0,
            precision,
        )
        # WHEN ours holds the same
        ours = stock(
            runs_ns=tuple(runs),
            samples_ns=tuple(runs),
            loops=loops,
            precision=precision,
            estimate_ns=theirs.average * 1e9,
        )
        # THEN the text is the same, but for the last digit of a rounded deviation of 0
        assert (
            view.headline(ours).partition(" ± ")[0] == str(theirs).partition(" ± ")[0]
        )
        assert view.headline(ours).partition("(")[2] == str(theirs).partition("(")[2]
        if theirs.stdev > 1e-9 * theirs.average:
            assert view.headline(ours) == str(theirs)

    def test_is_all_of_an_unremarkable_run_with_given_loops(self) -> None:
        assert view.text(stock()) == (
            "18.9 ns ± 0.163 ns per loop (mean ± std. dev. of 3 runs, 10 loops each)"
        )

    def test_singular(self) -> None:
        result = stock(runs_ns=(5.0,), samples_ns=(5.0,), estimate_ns=5.0, loops=1)
        assert view.text(result) == (
            "5 ns ± 0 ns per loop (mean ± std. dev. of 1 run, 1 loop each)"
        )

    def test_warning_comes_first(self) -> None:
        result = stock(runs_ns=(1_000.0, 4_500.0), estimate_ns=2_750.0)
        assert view.text(result).splitlines() == [
            "The slowest run took 4.50 times longer than the fastest. This could mean that"
            " an intermediate result is being cached.",
            "2.75 μs ± 1.75 μs per loop (mean ± std. dev. of 2 runs, 10 loops each)",
        ]

    @pytest.mark.parametrize(
        "runs_ns",
        [
            (1_000.0, 4_000.0),  # not more than four times
            (100.0, 900.0),  # the slowest still below a microsecond
            (0.0, 9_000.0),
        ],
    )
    def test_no_warning(self, runs_ns: tuple[float, ...]) -> None:
        assert "slowest" not in view.text(stock(runs_ns=runs_ns))

    @pytest.mark.parametrize(
        ("compile_ns", "last"),
        [(100_000_000, []), (123_000_000, ["Compiler time: 0.12 s"])],
    )
    def test_compiler_time(self, compile_ns: int, last: list[str]) -> None:
        assert view.text(stock(compile_ns=compile_ns)).splitlines()[1:] == last

    @pytest.mark.parametrize(
        ("encoding", "figure"),
        [
            ("utf-8", "18.9 μs ± 0.163 ns"),
            ("latin-1", "18.9 us ± 0.163 ns"),
            ("ascii", "18.9 us +- 0.163 ns"),
            ("no such encoding", "18.9 us +- 0.163 ns"),
            (None, "18.9 us +- 0.163 ns"),
        ],
    )
    def test_stdout_that_cannot_encode(
        self, monkeypatch: pytest.MonkeyPatch, encoding: str | None, figure: str
    ) -> None:
        class Stdout(io.StringIO):
            pass

        Stdout.encoding = encoding  # type: ignore[assignment]
        monkeypatch.setattr(sys, "stdout", Stdout())
        result = stock(estimate_ns=18_900.0)
        assert str(result).startswith(figure)
        assert str(BuiltIn(1, 1, 1.0, 1.0, [18.9e-6], 0.0, 3)).startswith(figure[:10])


class TestText:
    def test_ordinary(self) -> None:
        assert lines() == [
            "18.9 ns ± 0.00165 ns per loop"
            " (mean ± std. dev. of 7 runs, 1,000,000 loops each)",
            "95 % interval  18.894 to 18.906 ns (±0.032 %)",
            "quartiles      18.87, 18.90, 18.93 ns, range 18.8 to 19.2 ns",
            "samples        700 kept (24 outliers, 6 severe); dropped: 23 preempted,"
            " 8 disturbed, 4 warming up",
            "executions     the statement ran 12,345,678 times in all",
            "method         loop overhead (4.21 ns) cancelled between 8 and 72 copies",
        ]

    @pytest.mark.parametrize("statistic", ["median", "min", "q1", "max"])
    def test_names_the_statistic(self, statistic: str) -> None:
        assert (
            f"per loop ({statistic} ± std. dev. of 7 runs"
            in lines(statistic=statistic)[0]
        )

    @pytest.mark.parametrize(
        ("preempted", "disturbed", "warmup", "said"),
        [
            (0, 0, 0, "7 kept"),
            (3, 0, 0, "7 kept; dropped: 3 preempted"),
            (0, 8, 0, "7 kept; dropped: 8 disturbed"),
            (0, 0, 2_000, "7 kept; dropped: 2,000 warming up"),
            (3, 8, 2, "7 kept; dropped: 3 preempted, 8 disturbed, 2 warming up"),
        ],
    )
    def test_dropped(
        self, preempted: int, disturbed: int, warmup: int, said: str
    ) -> None:
        changes = {"preempted": preempted, "disturbed": disturbed, "warmup": warmup}
        assert line("samples", samples_ns=(1.0,) * 7, **changes) == said

    @pytest.mark.parametrize(
        ("method", "first_ns", "said"),
        [
            ("slope", 99_000, None),
            ("slope", 2_000_000, "2 ms, 105,820 times longer"),
            ("loop", 2_000_000, "2 ms, 105,820 times longer"),
            ("stock", 2_000_000, None),
        ],
    )
    def test_a_slow_first_execution(
        self, method: str, first_ns: int, said: str | None
    ) -> None:
        text = "\n".join(lines(method=method, first_ns=first_ns))
        assert ("the first execution took" in text) == (said is not None)
        assert said is None or said in text

    @pytest.mark.parametrize(
        ("method", "said"),
        [
            ("slope", "loop overhead (4.21 ns) cancelled between 8 and 72 copies"),
            (
                "loop",
                "one copy in the loop, whose overhead (4.21 ns) is too small to matter",
            ),
            ("each", "each execution timed alone after a fresh setup, clock (4.21 ns)"),
            ("once", "longer than the budget, hence executed once"),
        ],
    )
    def test_method(self, method: str, said: str) -> None:
        assert line("method", method=method).startswith(said)

    def test_no_interval_and_no_spread_of_a_single_sample(self) -> None:
        text = "\n".join(
            lines(method="once", ci_ns=None, samples_ns=(5.0,), executions=1)
        )
        assert "interval" not in text
        assert "quartiles" not in text
        assert "the statement ran once in all" in text

    @pytest.mark.parametrize(
        ("share", "said"),
        [
            (None, ""),
            (1.0, ""),
            (0.9, ""),
            (0.89, "busy 89 % of the time: the statement waits"),
            (0.0, "busy 0 % of the time: the statement waits"),
            (3.81, "busy 3.8 times the wall time: it runs in several threads"),
        ],
    )
    def test_cpu_share_when_remarkable(self, share: float | None, said: str) -> None:
        assert line("CPU", cpu_share=share) == said

    def test_waiting_is_remarkable_with_given_loops_too(self) -> None:
        # Nothing is dropped then, so that the wait may be that for another task.
        assert view.text(stock(cpu_share=0.5)).endswith(
            "CPU  busy 50 % of the time: it waits, or other tasks ran"
        )

    def test_collector(self) -> None:
        assert line("collector") == ""
        on = {"gc_enabled": True, "measured_ns": 1_000}
        assert line("collector", **on) == "on: 0 collections inside samples"
        assert line("collector", **on, gc_collections=1, gc_ns=34) == (
            "on: 1 collection inside samples, 3.4 % of the time"
        )

    def test_memory(self) -> None:
        assert line("memory") == ""
        nothing = {"allocations": 0.0, "allocated_bytes": 0.0}
        assert line("memory", **nothing) == "no allocations"
        assert line("memory", allocations=1.0, allocated_bytes=1033.0) == (
            "1 allocation, 1.01 KiB"
        )
        assert line("memory", allocations=0.25, allocated_bytes=8.0, gc_share=0.12) == (
            "0.25 allocations, 8 B; the collector, when on, takes 12 % of the time"
        )

    def test_counters(self) -> None:
        changes = {"counters": {"cycles": 12_345.6, "cache-misses": 0.0123}}
        assert line("cycles", **changes) == "12,346"
        assert line("cache-misses", **changes) == "0.0123"
        assert (
            line("counters", counters_note="none: no permission")
            == "none: no permission"
        )

    @pytest.mark.parametrize(
        ("statement", "why"),
        [
            ("'sorted(x)'", "a quoted statement is just a string"),
            ('"""x"""', "a quoted statement is just a string"),
            ("1 + 1", "Python folds constants"),
            ("x = 1; 2", "Python folds constants"),
            ("pass", "there is no code in it to run"),
            ("# nothing", "there is no code in it to run"),
            ("", "there is no code in it to run"),
            ("%magic", "what is left of it has no effect"),
            ("x\x00", "what is left of it has no effect"),
        ],
    )
    def test_compiled_to_nothing(self, statement: str, why: str) -> None:
        said = lines(statement=statement, empty=True)[1]
        assert said.startswith(
            f"empty          the statement compiled to nothing: {why}"
        )

    def test_partial_stands_next_to_the_figure(self) -> None:
        assert lines(interrupted=True)[1] == (
            "partial        ended early by an exception or Ctrl-C; this rests on 700 samples"
        )


class TestComparison:
    def test_one_line_a_candidate_and_their_ratios(self) -> None:
        text = view.text(comparison()).splitlines()
        assert text[1] == (
            "x[:].sort()  9.71 μs ± 0.845 ns per loop"
            " (mean ± std. dev. of 7 runs, 1,000,000 loops each)"
        )
        assert text[4:8] == [
            "candidate       time  95 % interval        against sorted(x)",
            "sorted(x)    12.3 μs  12.296 to 12.304 μs  baseline",
            "x[:].sort()  9.71 μs  9.707 to 9.713 μs    1.27x faster [1.26, 1.28]",
            "np.sort(x)   31.2 μs  31.190 to 31.210 μs  2.54x slower [2.49, 2.58]",
        ]
        assert "x[:].sort() is the fastest" in text

    def test_no_winner(self) -> None:
        text = view.text(tie())
        assert "no difference beyond noise [0.99, 1.02]" in text
        assert "no winner" in text
        assert "fastest\n" not in text

    @pytest.mark.parametrize(
        ("ratios", "figure"),
        [
            ([(1, 1, 1), (0.5, 0.48, 0.52)], "2.0x faster [1.9, 2.1]"),
            ([(1, 1, 1), (2.0, 1.9, 2.1)], "2.0x slower [1.9, 2.1]"),
            ([(1, 1, 1), (1.0, 0.9, 1.1)], "no difference beyond noise [0.90, 1.10]"),
        ],
    )
    def test_largest_figure_in_html(self, ratios: Any, figure: str) -> None:
        result = comparison(
            results=(timing(label="a"), timing(label="b")),
            ratios=tuple(Ratio(*ratio) for ratio in ratios),
        )
        assert f'font-weight:600; letter-spacing:-0.01em"><bdi>{figure}</bdi>' in (
            view.html(result)
        )

    def test_says_which_candidate_is_out_of_the_ordinary(self) -> None:
        result = comparison(
            results=(
                timing(label="a"),
                timing(label="b", empty=True, statement="1 + 1"),
            ),
            ratios=(Ratio(1.0, 1.0, 1.0), Ratio(0.1, 0.09, 0.11)),
        )
        assert "b           empty: the statement compiled to nothing" in view.text(
            result
        )

    def test_measured_apart(self) -> None:
        assert "measured apart" in view.text(timing().diff(timing()))


class TestScaling:
    def test_table_and_fit(self) -> None:
        text = view.text(scaling()).splitlines()
        assert text[0] == "O(n log n) for n from 10 to 100,000"
        assert text[1].startswith("fit         4.1 ns · n log n + 210 ns, 1.9 % off")
        assert text[-1].split() == [
            "100,000",
            "6.77",
            "ms",
            "6.767",
            "to",
            "6.771",
            "ms",
            "-0.6",
            "%",
        ]

    def test_too_few_sizes(self) -> None:
        result = scaling(fits=())
        assert view.text(result).startswith(
            "too few sizes for a fit: n from 10 to 100,000"
        )
        assert "<img" in view.html(result)


def test_text_needs_no_template_and_no_highlighting(tmp_path: Path) -> None:
    code = """
import sys
from nbprobe.results import load
print(load(sys.argv[1]))
loaded = {"jinja2", "pygments", "IPython", "pandas"} & set(sys.modules)
assert not loaded, loaded
"""
    timing().save(tmp_path / "result.json")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code, tmp_path / "result.json"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("18.9 ns")
