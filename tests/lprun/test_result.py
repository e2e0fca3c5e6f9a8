"""Results: plain data that is merged, compared, saved and tabled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbprobe
from nbprobe.errors import ResultFileError
from nbprobe.lprun import Function, Line, LineProfiler, LineResult
from nbprobe.lprun.difference import LineDifference
from nbprobe.lprun.excerpt import passages

from . import workload

SOURCE = ("def f(n):", "    a = n", "    return a")


def line(number: int, hits: int, time: float) -> Line:
    return Line(number, hits, time, time / 2, 0.0, time + 9, time / 2 + 9)


def function(*lines: Line, **changes: Any) -> Function:
    fields: dict[str, Any] = {
        "name": "f",
        "file": "f.py",
        "first": 10,
        "how": "probes",
        "source": SOURCE,
        "note": "",
        "lines": lines,
        "threads": (),
    }
    return Function(**{**fields, **changes})


def result(*functions: Function, **changes: Any) -> LineResult:
    fields: dict[str, Any] = {
        "statement": "f(1)",
        "functions": functions,
        "threads": ("MainThread",),
        "wall_ns": 1000,
        "costs_ns": (15.0, 10.0, 2.0),
        "unit": None,
        "skip_zero": False,
        "sort": "",
        "top": 0,
        "by_thread": False,
        "dropped": 0,
        "problems": (),
        "ended_by": "",
        "python": "3.13.0",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return LineResult(**{**fields, **changes})


def test_saved_and_loaded(tmp_path: Path) -> None:
    one = result(function(line(11, 2, 100.0)), unit=1e-6)
    one.save(tmp_path / "a.json")
    assert nbprobe.load(tmp_path / "a.json") == one
    other = one.diff(result(function(line(11, 2, 50.0))))
    other.save(tmp_path / "b.json")
    assert nbprobe.load(tmp_path / "b.json") == other


def test_file_with_figures_of_unknown_threads_is_refused(tmp_path: Path) -> None:
    tables = ((line(11, 1, 1.0),),) * 3
    with pytest.raises(ValueError, match="all threads"):
        result(function(line(11, 2, 1.0), threads=tables))
    path = tmp_path / "a.json"
    result(function(line(11, 2, 1.0))).save(path)
    path.write_text(path.read_text().replace('"hits": 2', '"hits": "2"'))
    with pytest.raises(ResultFileError, match="hits must be a whole number"):
        nbprobe.load(path)


def test_sums_and_rows() -> None:
    one = result(function(line(11, 2, 100.0), line(12, 1, 50.0)))
    assert one.hits == 3 and one.self_ns == 75.0
    assert one.functions[0].total_ns == 150.0
    rows = one.records()
    assert [row["source"] for row in rows] == ["    a = n", "    return a"]
    assert rows[0]["self_ns"] == 50.0 and rows[0]["raw_total_ns"] == 109.0
    assert one.stats().timings == {("f.py", 10, "f"): [(11, 2, 100), (12, 1, 50)]}
    assert one.stats(raw=True).timings["f.py", 10, "f"][0] == (11, 2, 109)
    assert len(one.to_dataframe()) == 2


def test_merging_adds_up() -> None:
    one = result(function(line(11, 2, 100.0)))
    other = result(
        function(line(11, 3, 50.0), line(12, 1, 1.0)), function(name="g", first=20)
    )
    total = one + other
    assert [each.name for each in total.functions] == ["f", "g"]
    assert [(each.number, each.hits) for each in total.functions[0].lines] == [
        (11, 5),
        (12, 1),
    ]
    assert total.functions[0].total_ns == 151.0
    assert total.wall_ns == 2000
    with pytest.raises(TypeError):
        one + 1  # type: ignore[operator]


def test_edited_function_is_not_merged() -> None:
    edited = function(line(11, 1, 1.0), source=("def f(n):", "    b = n"))
    total = result(function(line(11, 2, 100.0))) + result(edited)
    assert len(total.functions) == 2


def test_threads_are_merged_by_name() -> None:
    threads = ((line(11, 1, 10.0),), (line(11, 2, 20.0),))
    one = result(
        function(line(11, 3, 30.0), threads=threads), threads=("MainThread", "worker")
    )
    total = one + result(function(line(11, 5, 50.0)))
    (merged,) = total.functions
    assert total.threads == ("MainThread", "worker")
    assert [[each.hits for each in table] for table in merged.threads] == [[6], [2]]
    assert merged.lines[0].hits == 8


def test_what_is_shown() -> None:
    functions = [
        function(line(11, 1, time), name=name, first=first)
        for name, time, first in (("b", 5.0, 10), ("a", 9.0, 20))
    ]
    unused = function(name="unused", first=30)
    every = result(*functions, unused)
    assert [each.name for each in every.shown()] == ["b", "a", "unused"]
    assert [each.name for each in replace(every, skip_zero=True).shown()] == ["b", "a"]
    by_time = replace(every, sort="time", top=1)
    assert [each.name for each in by_time.shown()] == ["a"]
    assert replace(every, sort="name").shown()[0].name == "a"


def test_difference_pairs_lines_by_their_text() -> None:
    before = result(function(line(11, 2, 100.0), line(12, 1, 50.0)))
    source = ("def f(n):", "    # new", "    a = n", "    return a + 1")
    after = result(
        function(
            line(22, 2, 40.0),
            line(23, 1, 60.0),
            source=source,
            first=20,
            file="<cell 2>",
        ),
        function(line(31, 1, 5.0), name="g", first=30),
    )
    difference = before.diff(after)
    assert isinstance(difference, LineDifference)
    changed = difference.functions[0]
    assert (changed.name, changed.before_ns, changed.after_ns) == ("f", 150.0, 100.0)
    rows = {each.text.strip(): each for each in changed.lines}
    assert rows["a = n"].change_ns == -60.0
    assert (rows["a = n"].number_before, rows["a = n"].number_after) == (11, 22)
    assert rows["return a"].after is None
    assert rows["return a + 1"].before is None
    assert difference.functions[1].before_ns is None
    assert {row["source"].strip() for row in difference.records()} >= {"a = n"}


def test_long_function_is_cut_to_what_matters() -> None:
    source = ("def f():", *(f"    x = {i}" for i in range(2999)))
    lines = [line(number, 1, 1.0) for number in range(11, 3009)]
    lines[1500] = line(lines[1500].number, 1, 1e6)
    long = function(*lines, source=source)
    places = list(passages(long, 50))
    numbers = [place for place in places if isinstance(place, int)]
    gaps = [place for place in places if not isinstance(place, int)]
    assert len(numbers) <= 50
    assert numbers[0] == 10 and lines[1500].number in numbers
    assert len(numbers) + sum(end - start + 1 for start, end in gaps) == 3000


def test_function_that_runs_already_says_how_it_was_measured() -> None:
    profiler = LineProfiler()

    def running() -> int:
        profiler.add_function(running)
        profiler.enable()
        x = 1
        profiler.disable()
        return x

    running()
    (measured,) = profiler.result().functions
    assert measured.how.startswith("probes+")
    assert "measured by probes+" in str(profiler.result())


def test_text_is_captured_when_a_function_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "captured_early.py"
    path.write_text("def f():\n    return 1\n")
    import captured_early  # type: ignore[import-not-found]

    profiler = LineProfiler(captured_early.f)
    path.unlink()
    profiler.runcall(captured_early.f)
    assert "    return 1" in profiler.result().functions[0].source
    assert "return 1" in str(profiler.result())


def test_empty_profile_is_shown() -> None:
    assert "no function of yours" in str(result())
    assert "not called" in str(LineProfiler(workload.plain).result()) or (
        "none of these functions was called"
        in str(LineProfiler(workload.plain).result())
    )
