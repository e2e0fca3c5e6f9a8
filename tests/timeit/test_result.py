"""Results: what they derive, and that a file gives back what was saved or one clear line."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbprobe
from nbprobe import results
from nbprobe.errors import MissingPackageError, NbprobeError, ResultFileError
from nbprobe.results import Result
from nbprobe.timeit.result import Comparison, Fit, Ratio, Scaling, TimeitResult

from ..views.gallery import GALLERY, comparison, scaling, timing


def paired(text: str) -> str:
    """Join two surrogates that make a character, as every reader of JSON does."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


# Any character that a str can hold, lone surrogates included.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20).map(paired)
FIGURE = st.floats()
COUNT = st.integers(-(2**63) + 1, 2**63 - 1)


def series(**sizes: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(FIGURE, **sizes).map(tuple)


TIMINGS = st.builds(
    TimeitResult,
    statement=TEXT,
    setup=TEXT,
    label=TEXT,
    method=st.sampled_from(["slope", "loop", "each", "stock", "once"]),
    statistic=st.sampled_from(["mean", "median", "min", "q1", "max"]),
    runs_ns=series(min_size=1, max_size=4),
    loops=COUNT,
    estimate_ns=FIGURE,
    ci_ns=st.none() | st.tuples(FIGURE, FIGURE),
    samples_ns=series(min_size=1, max_size=9),
    preempted=COUNT,
    disturbed=COUNT,
    warmup=COUNT,
    first_ns=COUNT,
    executions=COUNT,
    setups=COUNT,
    unroll=st.tuples(COUNT, COUNT),
    overhead_ns=st.none() | FIGURE,
    measured_ns=COUNT,
    cpu_share=st.none() | FIGURE,
    gc_enabled=st.booleans(),
    gc_collections=COUNT,
    gc_ns=COUNT,
    counters=st.dictionaries(TEXT, FIGURE, max_size=3),
    counters_note=TEXT,
    clock=TEXT,
    clock_resolution_ns=COUNT,
    compile_ns=COUNT,
    precision=st.integers(0, 100),
    empty=st.booleans(),
    interrupted=st.booleans(),
    python=TEXT,
    created=TEXT,
)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    candidates = draw(st.lists(TIMINGS, min_size=1, max_size=3))
    number = len(candidates)
    ratio = st.builds(Ratio, FIGURE, FIGURE, FIGURE)
    return Comparison(
        results=tuple(candidates),
        baseline=draw(st.integers(0, number - 1)),
        ratios=tuple(draw(st.lists(ratio, min_size=number, max_size=number))),
        rounds=draw(COUNT),
        interrupted=draw(st.booleans()),
    )


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    timed = draw(st.lists(TIMINGS, min_size=1, max_size=3))
    same = {"min_size": len(timed), "max_size": len(timed)}
    fit = st.builds(Fit, TEXT, FIGURE, FIGURE, FIGURE, series(**same))
    return Scaling(
        name=draw(TEXT),
        values=draw(series(**same)),
        results=tuple(timed),
        fits=tuple(draw(st.lists(fit, max_size=3))),
        exponent=draw(FIGURE),
        exponent_error=draw(FIGURE),
        interrupted=draw(st.booleans()),
    )


RESULTS = TIMINGS | comparisons() | scalings()


def same(one: Any, other: Any) -> bool:
    """Compare as ``==`` does, but let NaN equal NaN and tell 1 from 1.0 and True."""
    return repr(_plain(one)) == repr(_plain(other))


def _plain(result: Any) -> Any:
    return type(result), dataclasses.astuple(result)


class TestRoundTrip:
    @given(RESULTS)
    def test_load_gives_what_save_wrote(
        self, tmp_path_factory: pytest.TempPathFactory, result: Result
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "round-trip.json"
        result.save(path)
        assert same(nbprobe.load(path), result)

    @given(RESULTS)
    def test_whatever_a_file_can_hold_can_be_shown(self, result: Result) -> None:
        assert str(result)
        assert repr(result)
        assert result._repr_mimebundle_()["text/html"]
        assert result.records() is not None

    @pytest.mark.parametrize("name", GALLERY)
    def test_gallery(self, name: str, tmp_path: Path) -> None:
        result = GALLERY[name]()
        result.save(tmp_path / "result.json")
        assert same(nbprobe.load(tmp_path / "result.json"), result)

    def test_file_is_standard_json(self, tmp_path: Path) -> None:
        timing(estimate_ns=math.nan, cpu_share=math.inf).save(tmp_path / "result.json")

        def refuse(token: str) -> None:
            raise AssertionError(token)

        text = (tmp_path / "result.json").read_text(encoding="ascii")
        document = json.loads(text, parse_constant=refuse)
        assert document["format"] == "nbprobe"
        assert document["kind"] == "timeit"
        assert document["data"]["estimate_ns"] == "nan"


class TestSave:
    def test_replaces_the_old_file_in_one_step(self, tmp_path: Path) -> None:
        path = tmp_path / "result.json"
        timing(label="old").save(path)
        with path.open(encoding="utf-8") as reader:
            timing(label="new").save(path)
            # THEN who had it open reads the old one to its end.
            assert json.load(reader)["data"]["label"] == "old"
        assert nbprobe.load(path) == timing(label="new")
        assert list(tmp_path.iterdir()) == [path]

    def test_failure_leaves_the_old_file_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "result.json"
        timing().save(path)

        def fail(*args: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(results.os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            timing(label="new").save(path)
        assert nbprobe.load(path) == timing()
        assert list(tmp_path.iterdir()) == [path]


def _every_place(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths to every value in a JSON document, containers included."""
    places = [path] if path else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        places += _every_place(item, (*path, key))
    return places


def _document(result: Result) -> dict[str, Any]:
    return {
        "format": "nbprobe",
        "version": 1,
        "kind": result.kind,
        "data": results._encode(result),
    }


def _small() -> list[Result]:
    few = timing(
        number=7,
        ci_ns=(1.0, 2.0),
        counters={"cycles": 1.5},
        overhead_ns=1.0,
        cpu_share=1.0,
    )
    return [
        few,
        comparison(results=(few,), ratios=(Ratio(1.0, 1.0, 1.0),)),
        scaling(
            values=(1.0,), results=(few,), fits=(Fit("O(1)", 1.0, 0.0, 0.1, (0.1,)),)
        ),
    ]


WRONG = [
    pytest.param(result, path, id=f"{result.kind}-{'.'.join(map(str, path))}")
    for result in _small()
    for path in _every_place(_document(result))
]


class TestDamagedFiles:
    def refusal(self, tmp_path: Path, content: bytes) -> str:
        """Load a file with this content and give the error's text, one line of it."""
        path = tmp_path / "result.json"
        path.write_bytes(content)
        with pytest.raises(ResultFileError) as caught:
            nbprobe.load(path)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        assert len(message) < 300 + len(str(path))
        assert message.isprintable()
        assert isinstance(caught.value, NbprobeError)
        return message

    @pytest.mark.parametrize(("result", "place"), WRONG)
    def test_wrong_type(
        self, tmp_path: Path, result: Result, place: tuple[Any, ...]
    ) -> None:
        document = _document(result)
        parent: Any = document
        for key in place[:-1]:
            parent = parent[key]
        # An array in an array is right nowhere.
        parent[place[-1]] = [[]]
        assert "result.json" in self.refusal(tmp_path, json.dumps(document).encode())

    @pytest.mark.parametrize("result", _small(), ids=lambda result: result.kind)
    def test_missing_and_unknown_fields(self, tmp_path: Path, result: Result) -> None:
        whole = _document(result)
        optional = {
            f.name: f.default
            for f in dataclasses.fields(result)
            if f.default is not dataclasses.MISSING
        }
        for name in whole["data"]:
            document = copy.deepcopy(whole)
            del document["data"][name]
            if name in optional:  # unknown to an earlier version
                path = tmp_path / "earlier.json"
                path.write_text(json.dumps(document))
                assert getattr(nbprobe.load(path), name) == optional[name]
                continue
            message = self.refusal(tmp_path, json.dumps(document).encode())
            assert f"data lacks {name!r}" in message
        whole["data"]["a\nb\x1b"] = 1
        assert "unknown field" in self.refusal(tmp_path, json.dumps(whole).encode())

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("loops", True, "data.loops must be a whole number, found true"),
            ("loops", 1.0, "data.loops must be a whole number, found 1.0"),
            ("loops", 2**63, "data.loops must be a whole number of at most 64 bits"),
            ("empty", 0, "data.empty must be true or false, found 0"),
            ("label", None, "data.label must be a string, found null"),
            ("estimate_ns", "18", 'data.estimate_ns must be a number, found "18"'),
            (
                "estimate_ns",
                10**400,
                "data.estimate_ns must be a number of ordinary size",
            ),
            ("ci_ns", [1.0], "data.ci_ns must be an array of 2, found [1.0]"),
            ("runs_ns", [1.0, "x"], 'data.runs_ns[1] must be a number, found "x"'),
            ("counters", {"c": "x"}, 'data.counters["c"] must be a number, found "x"'),
            ("method", "magic", "data: method must be one of slope, loop"),
            ("statistic", "mode", "data: statistic must be one of mean, median"),
            ("samples_ns", [], "data: a result needs at least one run and one sample"),
            ("precision", -1, "data: precision must be between 0 and 100"),
        ],
    )
    def test_says_what_is_wrong(
        self, tmp_path: Path, field: str, value: object, said: str
    ) -> None:
        document = _document(timing())
        document["data"][field] = value
        assert said in self.refusal(tmp_path, json.dumps(document).encode())

    def test_whole_numbers_are_numbers(self, tmp_path: Path) -> None:
        document = _document(timing())
        document["data"]["estimate_ns"] = 19
        (tmp_path / "result.json").write_text(json.dumps(document), encoding="utf-8")
        estimate = nbprobe.load(tmp_path / "result.json").estimate_ns
        assert estimate == 19.0
        assert type(estimate) is float

    @pytest.mark.parametrize(
        ("field", "value"),
        [("baseline", 3), ("baseline", -1), ("ratios", []), ("results", [])],
    )
    def test_comparison_that_does_not_fit_together(
        self, tmp_path: Path, field: str, value: object
    ) -> None:
        document = _document(comparison())
        document["data"][field] = value
        assert "data: " in self.refusal(tmp_path, json.dumps(document).encode())

    @pytest.mark.parametrize("field", ["values", "results"])
    def test_scaling_that_does_not_fit_together(
        self, tmp_path: Path, field: str
    ) -> None:
        document = _document(scaling())
        document["data"][field] = document["data"][field][:-1]
        assert "data: " in self.refusal(tmp_path, json.dumps(document).encode())

    def test_truncated_anywhere(self, tmp_path: Path) -> None:
        content = json.dumps(_document(timing(number=7))).encode()
        for end in range(0, len(content), 37):
            assert "not JSON" in self.refusal(tmp_path, content[:end])

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not JSON"),
            (b"\x89PNG\r\n\x1a\n\x00\xff", "not JSON"),
            (b"\x80\x04\x95\x0c\x00\x00\x00\x8c\x02os", "not JSON"),
            (b"\xff\xfe{\x00", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"9" * 10_000, "not JSON"),
            (b"[]", "not a result of nbprobe"),
            (b"null", "not a result of nbprobe"),
            (b'{"cells": [], "nbformat": 4}', "not a result of nbprobe"),
            (b'{"format": "nbprobe"}', "no version"),
            (b'{"format": "nbprobe", "version": true}', "no version"),
            (b'{"format": "nbprobe", "version": 2}', "pip install --upgrade nbprobe"),
            (b'{"format": "nbprobe", "version": 1}', "unknown kind of result null"),
            (
                b'{"format": "nbprobe", "version": 1, "kind": "os.system"}',
                'unknown kind of result "os.system"',
            ),
            (
                b'{"format": "nbprobe", "version": 1, "kind": ["timeit"]}',
                "unknown kind of result",
            ),
            (
                b'{"format": "nbprobe", "version": 1, "kind": "timeit"}',
                "data must be an object, found null",
            ),
        ],
    )
    def test_not_ours(self, tmp_path: Path, content: bytes, said: str) -> None:
        assert said in self.refusal(tmp_path, content)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            nbprobe.load(tmp_path / "missing.json")


class TestTimeitResult:
    def test_attributes_of_the_built_in(self) -> None:
        result = timing(runs_ns=(2e3, 4e3, 6e3), loops=10, compile_ns=250_000_000)
        assert result.loops == 10
        assert result.repeat == 3
        assert result.timings == pytest.approx([2e-6, 4e-6, 6e-6])
        assert result.all_runs == pytest.approx([2e-5, 4e-5, 6e-5])
        assert result.best == pytest.approx(2e-6)
        assert result.worst == pytest.approx(6e-6)
        assert result.average == pytest.approx(4e-6)
        assert result.stdev == pytest.approx(statistics.pstdev([2e-6, 4e-6, 6e-6]))
        assert result.compile_time == 0.25
        assert result._precision == 3

    def test_attributes_of_our_own(self) -> None:
        result = timing(estimate_ns=20.0, ci_ns=(19.0, 22.0), preempted=5, disturbed=2)
        assert result.per_loop == pytest.approx(20e-9)
        assert result.ci == pytest.approx((19e-9, 22e-9))
        assert result.relative_error == pytest.approx(0.075)
        assert result.dropped == 7

    def test_too_few_samples_for_an_interval(self) -> None:
        result = timing(ci_ns=None, samples_ns=(5.0,))
        assert result.ci is None
        assert result.relative_error is None
        assert result.quartiles_ns == (5.0, 5.0, 5.0)
        assert result.outliers == (0, 0)

    @given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
    def test_quartiles_interpolate(self, samples: list[float]) -> None:
        expected = statistics.quantiles(samples, n=4, method="inclusive")
        quartiles = timing(samples_ns=tuple(samples)).quartiles_ns
        assert quartiles == pytest.approx(expected, rel=1e-9, abs=1e-6)

    def test_outliers_by_tukey(self) -> None:
        # Quartiles 10 and 20: fences at -5 and 35, and at -20 and 50.
        inside = (5.0, 10.0, 10.0, 15.0, 20.0, 20.0, 25.0)
        samples = (*inside, 36.0, 51.0, -6.0, -21.0)
        result = timing(samples_ns=samples)
        q1, _, q3 = result.quartiles_ns
        spread = q3 - q1
        far = [max(q1 - s, s - q3) / spread for s in samples]
        assert result.outliers == (
            sum(1.5 < distance <= 3 for distance in far),
            sum(distance > 3 for distance in far),
        )
        assert sum(result.outliers) >= 2

    def test_is_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            timing().loops = 3  # type: ignore[misc]

    def test_repr_is_short(self) -> None:
        assert repr(timing()).startswith("<TimeitResult : 18.9 ns ± ")
        assert "\n" not in repr(timing())


class TestDiff:
    def test_names_the_direction(self) -> None:
        slow = timing(estimate_ns=20.0, ci_ns=(19.8, 20.2))
        fast = timing(estimate_ns=10.0, ci_ns=(9.9, 10.1))
        change = slow.diff(fast)
        assert change.ratios[1].value == pytest.approx(0.5)
        assert change.ratios[1].verdict == "faster"
        assert fast.diff(slow).ratios[1].verdict == "slower"
        assert [result.label for result in change.results] == ["before", "after"]
        assert change.fastest is change.results[1]

    def test_adds_the_errors_of_both(self) -> None:
        one = timing(estimate_ns=100.0, ci_ns=(97.0, 103.0))
        other = timing(estimate_ns=100.0, ci_ns=(96.0, 104.0))
        ratio = one.diff(other).ratios[1]
        # 3 % and 4 % give 5 %, as far as small errors go.
        assert ratio.low == pytest.approx(0.95, abs=0.002)
        assert ratio.high == pytest.approx(1.05, abs=0.003)
        assert ratio.verdict == "same"

    @pytest.mark.parametrize(
        "ci", [None, (0.0, 5.0), (math.nan, math.nan), (1.0, math.inf)]
    )
    def test_without_a_usable_interval_nothing_is_decided(self, ci: Any) -> None:
        change = timing(estimate_ns=100.0, ci_ns=ci).diff(timing(estimate_ns=1.0))
        assert change.ratios[1].verdict == "same"
        assert change.fastest is None

    def test_keeps_names(self) -> None:
        change = timing(label="yesterday").diff(timing(label="today"))
        assert [result.label for result in change.results] == ["yesterday", "today"]


class TestComparison:
    @pytest.mark.parametrize(
        ("ratio", "verdict"),
        [
            (Ratio(0.5, 0.4, 0.6), "faster"),
            (Ratio(2.0, 1.9, 2.1), "slower"),
            (Ratio(1.01, 0.99, 1.03), "same"),
            (Ratio(0.9, 0.8, 1.0), "same"),
            (Ratio(math.nan, math.nan, math.nan), "same"),
        ],
    )
    def test_verdict(self, ratio: Ratio, verdict: str) -> None:
        assert ratio.verdict == verdict

    def test_fastest(self) -> None:
        result = comparison()
        assert result.fastest is result.results[1]

    def test_baseline_can_be_the_fastest(self) -> None:
        slower = Ratio(2.0, 1.9, 2.1)
        result = comparison(ratios=(Ratio(1.0, 1.0, 1.0), slower, slower))
        assert result.fastest is result.results[0]

    def test_no_winner_within_noise_of_the_baseline(self) -> None:
        result = comparison(
            ratios=(Ratio(1.0, 1.0, 1.0), Ratio(0.98, 0.95, 1.01), Ratio(2.5, 2.4, 2.6))
        )
        assert result.fastest is None

    def test_no_winner_when_two_share_the_lead(self) -> None:
        result = comparison(
            ratios=(
                Ratio(1.0, 1.0, 1.0),
                Ratio(0.50, 0.48, 0.52),
                Ratio(0.51, 0.49, 0.53),
            )
        )
        assert result.fastest is None


class TestTables:
    def test_dataframes(self) -> None:
        pandas = pytest.importorskip("pandas")
        frame = timing(number=7).to_dataframe()
        assert isinstance(frame, pandas.DataFrame)
        assert list(frame.columns) == ["sample", "ns"]
        assert len(frame) == 7
        frame = comparison().to_dataframe()
        assert list(frame["verdict"]) == ["same", "faster", "slower"]
        frame = scaling(name="ns").to_dataframe()
        assert list(frame["value"]) == [10, 100, 1_000, 10_000, 100_000]
        assert frame["residual"].iloc[0] == pytest.approx(0.021)

    def test_without_pandas(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MissingPackageError, match="pip install pandas") as caught:
            timing().to_dataframe()
        assert re.fullmatch(r"[^\n]+", str(caught.value))


class TestMimeBundle:
    def test_both_forms(self) -> None:
        bundle = timing()._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html"}
        assert bundle["text/plain"] == str(timing())

    @pytest.mark.parametrize(
        ("include", "exclude", "given"),
        [
            (["text/plain"], None, {"text/plain"}),
            (None, ["text/html"], {"text/plain"}),
            (["text/html", "image/png"], [], {"text/html"}),
            ([], None, set()),
        ],
    )
    def test_only_what_is_asked_for(
        self, include: Any, exclude: Any, given: Any
    ) -> None:
        assert set(timing()._repr_mimebundle_(include, exclude)) == given

    def test_pretty_form_is_that_of_the_built_in(self) -> None:
        from IPython.lib.pretty import pretty

        assert pretty([timing()]) == f"[{timing()!r}]"
