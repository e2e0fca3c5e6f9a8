"""The profile as a library: cProfile's interface, the result, its exports and views."""

from __future__ import annotations

import cProfile
import gc
import html.parser
import json
import pstats
import re
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nbprobe._core import pace_ratio
from nbprobe.errors import ResultFileError
from nbprobe.prun import Function, Profile, ProfileResult, Thread, run, runctx
from nbprobe.prun.calibration import Costs, costs
from nbprobe.prun.exports import callgrind, chrome_trace, collapsed, speedscope
from nbprobe.prun.pairs import rows
from nbprobe.prun.view_profile import names_of, report
from nbprobe.prun.view_tables import function_tables
from nbprobe.results import load
from nbprobe.views.tables import Hint

from . import corpus


def made(**changes: Any) -> ProfileResult:
    """Make a small result: main calls f twice, f calls itself once and len three times."""
    functions = (
        Function("/home/me/main.py", 1, "<module>", "<module>"),
        Function("/home/me/tools.py", 7, "f", "Tool.f"),
        Function("~", 0, "<built-in method builtins.len>", "len"),
    )
    thread = Thread(
        name="MainThread",
        ident=1,
        parent=(-1, 0, 1, 1, 2),
        function=(0, 1, 1, 2, 2),
        calls=(1, 2, 1, 2, 1),
        resumes=(0, 0, 0, 0, 0),
        inclusive_ns=(1e9, 0.8e9, 0.2e9, 0.1e9, 0.05e9),
        self_ns=(0.2e9, 0.5e9, 0.15e9, 0.1e9, 0.05e9),
        raw_inclusive_ns=(2e9, 1.6e9, 0.4e9, 0.2e9, 0.1e9),
        raw_self_ns=(0.4e9, 1.0e9, 0.3e9, 0.2e9, 0.1e9),
        crowded=0,
        dropped=0,
    )
    fields: dict[str, Any] = {
        "statement": "main()",
        "functions": functions,
        "threads": (thread,),
        "wall_ns": 2_000_000_000,
        "costs_ns": (10.0, 20.0, 5.0, 15.0, 10.0, 10.0, 30.0),
        "builtins": True,
        "sort": ("tottime",),
        "limits": (),
        "unseen": 0,
        "displaced": False,
        "interrupted": False,
        "python": "3.13.0",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return ProfileResult(**fields | changes)


TABLE = """\
         7 function calls (6 primitive calls) in 1.000 seconds

   Ordered by: internal time

   ncalls  tottime  percall  cumtime  percall filename:lineno(function)
      3/2    0.650    0.217    0.800    0.400 tools.py:7(f)
        1    0.200    0.200    1.000    1.000 main.py:1(<module>)
        3    0.150    0.050    0.150    0.050 {built-in method builtins.len}"""


def test_the_text_is_the_table_of_pstats() -> None:
    assert str(made()) == TABLE


def test_sorting_and_limits_are_those_of_pstats() -> None:
    lines = report(made(), ["calls", "name"], ["0.5", "f"]).splitlines()
    assert "Ordered by: call count, function name" in "\n".join(lines)
    assert lines[-1].endswith("tools.py:7(f)")
    assert "reduced" in "\n".join(lines)


def test_the_pairs_of_callers_are_those_of_cprofile() -> None:
    stats = made().stats().stats  # type: ignore[attr-defined]
    f = ("/home/me/tools.py", 7, "f")
    primitive, calls, own, total, callers = stats[f]
    assert (primitive, calls, own, total) == pytest.approx((2, 3, 0.65, 0.8))
    assert callers[f] == pytest.approx((1, 1, 0.15, 0.2))
    assert callers["/home/me/main.py", 1, "<module>"] == pytest.approx((2, 2, 0.5, 0.8))
    assert made().stats(raw=True).total_tt == pytest.approx(2)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    """Callbacks of the collector are calls too, and come when they come."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("program", corpus.PROGRAMS, ids=lambda p: p.__name__)
def test_callers_and_primitive_calls_equal_those_of_cprofile(program: Any) -> None:
    program()
    theirs = cProfile.Profile()
    theirs.runcall(program)
    ours = Profile()
    ours.runcall(program)

    def shape(stats: pstats.Stats) -> dict[Any, Any]:
        return {
            label: (row[:2], {c: pair[:2] for c, pair in row[4].items()})
            for label, row in stats.stats.items()  # type: ignore[attr-defined]
            if "Profiler" not in label[2]
        }

    assert shape(ours.result().stats()) == shape(pstats.Stats(theirs))


def test_the_methods_of_cprofile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = Profile()
    assert profile.runcall(max, 1, 2) == 2
    assert profile.runctx("x = abs(-3)", {}, local := {}) is profile
    assert local == {"x": 3}
    profile.enable(subcalls=False, builtins=False)
    profile.disable()
    assert profile.builtins is False
    profile.create_stats()
    assert ("~", 0, "<built-in method builtins.abs>") in profile.stats
    assert pstats.Stats(profile).total_calls == 3  # type: ignore[attr-defined]
    profile.print_stats("name")
    assert "Ordered by: function name" in capsys.readouterr().out
    profile.dump_stats(tmp_path / "a.prof")
    read = pstats.Stats(str(tmp_path / "a.prof"))
    assert read.total_calls == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("program", corpus.PROGRAMS, ids=lambda p: p.__name__)
def test_getstats_gives_the_entries_of_cprofile(program: Any) -> None:
    program()
    theirs, ours = cProfile.Profile(), Profile()
    theirs.runcall(program)
    ours.runcall(program)

    def entries(stats: list[Any]) -> dict[Any, Any]:
        return {
            entry.code: (
                entry.callcount,
                entry.reccallcount,
                {each.code: (each.callcount, each.reccallcount) for each in calls},
            )
            for entry in stats
            for calls in [entry.calls or []]
            if "Profiler" not in str(entry.code)
        }

    got = ours.getstats()
    assert entries(got) == entries(theirs.getstats())
    assert {type(entry) for entry in got} == {type(theirs.getstats()[0])}
    assert all(entry.totaltime >= entry.inlinetime * 0.999999 for entry in got)


def test_run_prints_and_passes_exceptions_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("abs(-1)")
    assert "builtins.abs" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError):
        runctx("abs(-1); 1 / 0", {}, {}, str(tmp_path / "a.prof"))
    read = pstats.Stats(str(tmp_path / "a.prof"))
    assert ("~", 0, "<built-in method builtins.abs>") in read.stats  # type: ignore[attr-defined]


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    made().save(path)
    assert load(path) == made()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("threads", 0, "parent", 1), 1, "before its children"),
        (("threads", 0, "parent", 1), -2, "before its children"),
        (("threads", 0, "function", 0), 3, "one of the functions"),
        (("threads", 0, "function", 0), -1, "one of the functions"),
        (("threads", 0, "calls"), [1], "equally long"),
    ],
)
def test_a_file_that_is_no_tree_is_refused(
    tmp_path: Path, place: tuple[Any, ...], value: Any, message: str
) -> None:
    path = tmp_path / "profile.json"
    made().save(path)
    document = json.loads(path.read_text())
    inner = document["data"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ResultFileError, match=message):
        load(path)


def test_collapsed_stacks() -> None:
    lines = collapsed(made()).splitlines()
    assert lines[0] == "MainThread;<module> (main.py:1) 200000000"
    assert (
        "MainThread;<module> (main.py:1);Tool.f (tools.py:7);Tool.f (tools.py:7);"
        "<built-in method builtins.len> 50000000" in lines
    )
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 10**9


def test_speedscope_events_nest_and_end() -> None:
    (profile,) = json.loads(speedscope(made()))["profiles"]
    open_frames, last = [], 0.0
    for event in profile["events"]:
        assert event["at"] >= last
        last = event["at"]
        if event["type"] == "O":
            open_frames.append(event["frame"])
        else:
            assert open_frames.pop() == event["frame"]
    assert open_frames == []
    assert last == profile["endValue"] == pytest.approx(1e9)


def test_chrome_trace_has_an_event_for_each_path() -> None:
    events = json.loads(chrome_trace(made()))["traceEvents"]
    assert events[0]["args"] == {"name": "MainThread"}
    assert len(events) == 6
    assert events[-1]["name"] == "<module>"
    assert events[-1]["dur"] == pytest.approx(1e6)


def test_callgrind_has_own_time_and_calls() -> None:
    text = callgrind(made())
    assert "fl=/home/me/tools.py\nfn=f:7\n7 650000000\n" in text
    assert "cfl=~\ncfn=<built-in method builtins.len>:0\ncalls=3 0\n" in text


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.collapsed", b"MainThread;"),
        ("a.speedscope.json", b'{"$schema"'),
        ("a.json", b'{"traceEvents"'),
        ("callgrind.out.7", b"# callgrind"),
    ],
)
def test_the_name_tells_the_format(tmp_path: Path, name: str, start: bytes) -> None:
    made().export(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_prof_file_is_one_of_pstats(tmp_path: Path) -> None:
    made().export(tmp_path / "a.prof")
    read = pstats.Stats(str(tmp_path / "a.prof"))
    assert read.total_calls == 7  # type: ignore[attr-defined]


def test_a_name_that_does_not_tell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its ending must be"):
        made().export(tmp_path / "a.what")


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_html_escapes_names_and_needs_no_script() -> None:
    functions = tuple(
        Function("/x/<b>.py", 1, "<script>alert(1)</script>\x1b", "<script>\ud800")
        for _ in range(3)
    )
    page = made(functions=functions, statement="<script>")._repr_mimebundle_()[
        "text/html"
    ]
    parser = Tags()
    parser.feed(page)
    names = {tag for tag, _ in parser.found}
    assert "script" not in names and "style" not in names and "b" not in names
    assert [t for t, _ in parser.found].count("details") == 5
    page.encode()


def test_the_icicle_is_wide_as_the_shares() -> None:
    from nbprobe.prun.view_profile import _blocks
    from nbprobe.views.icicle import icicle

    (top,) = _blocks(made(), made().threads[0])
    assert top.name == "<module>"
    (f,) = top.below
    assert (f.name, f.value) == ("Tool.f", 0.8e9)
    below = [("Tool.f", 0.2e9), ("len", 0.1e9)]
    assert [(block.name, block.value) for block in f.below] == below
    drawn = icicle([top], title="Calls")
    assert drawn is not None
    picture = drawn.picture
    assert "width='859.2'" in picture.svg and "width='687.2'" in picture.svg
    assert picture.alt == "Calls: <module> 100 %"
    assert "Tool.f: 800 ms, 80 %; own 500 ms; 2 calls; /home/me/tools.py:7" in [
        area.title for area in drawn.areas
    ]


def test_the_icicle_folds_recursion_when_asked() -> None:
    from nbprobe.prun.view_profile import _blocks

    (top,) = _blocks(made(fold=True), made().threads[0])
    (f,) = top.below
    assert (f.name, f.value) == ("Tool.f", 0.8e9)
    assert [(block.name, block.value) for block in f.below] == [("len", 0.15e9)]
    assert "; 3 calls;" in f.title


def test_functions_in_c_are_named_as_they_are_written() -> None:
    from nbprobe.prun.view_tables import short

    assert short("<built-in method builtins.len>") == "len"
    assert short("<built-in method time.sleep>") == "time.sleep"
    assert short("<method 'append' of 'list' objects>") == "list.append"
    assert short("<built-in method __new__ of type object at 0x7f8f2>") == "__new__"
    assert short("<listcomp>") == "<listcomp>"


def test_a_huge_tree_gives_a_small_page() -> None:
    count = 20_000
    thread = Thread(
        name="t",
        ident=1,
        parent=tuple(range(-1, count - 1)),
        function=tuple(range(count)),
        calls=(1,) * count,
        resumes=(0,) * count,
        inclusive_ns=tuple(float(count - i) for i in range(count)),
        self_ns=(1.0,) * count,
        raw_inclusive_ns=(1.0,) * count,
        raw_self_ns=(1.0,) * count,
        crowded=0,
        dropped=0,
    )
    functions = tuple(
        Function("/x.py", line, f"f{line}", f"f{line}") for line in range(count)
    )
    page = made(functions=functions, threads=(thread,))._repr_mimebundle_()["text/html"]
    assert len(page) < 200_000
    assert "more" in page


def test_what_is_missing_is_said() -> None:
    text = str(made(interrupted=True, unseen=3, displaced=True))
    assert "ended early" in text
    assert "3 calls not recorded" in text
    assert "another profiler" in text


def test_nothing_recorded_is_shown_as_such() -> None:
    result = Profile().result()
    assert "0 function calls" in str(result)
    assert "text/html" in result._repr_mimebundle_()
    assert result.stats().stats == {}  # type: ignore[attr-defined]


def test_a_running_thread_has_its_name() -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.001):
            abs(1)

    worker = threading.Thread(target=work, name="busy bee")
    worker.start()
    with Profile() as profile:
        time.sleep(0.05)
    result = profile.result()
    stop.set()
    worker.join()
    # Beside them, perhaps, those of whoever runs the tests.
    names = [t.name for t in result.threads]
    assert names[0] == "MainThread" and names.count("busy bee") == 1


def test_costs_are_plausible_and_subtracted() -> None:
    measured = costs(True)
    assert measured.pace > 0
    assert 5 < measured.call_inside + measured.call_outside < 5000
    assert 5 < measured.native_inside + measured.native_outside < 5000
    if sys.version_info < (3, 12):
        assert measured.other < 50
    profile = Profile()
    profile.runcall(corpus.fib, 16)
    assert profile.result().total_ns < profile.result(correct=False).total_ns


def test_costs_are_scaled_by_the_pace_of_the_processor() -> None:
    profile = Profile()
    assert profile.pace_ns == 0
    profile.runcall(corpus.fib, 16)
    pace = profile.pace_ns
    assert pace > 0
    # The length of a tick is known better with time.
    about = partial(pytest.approx, rel=1e-3)
    measured = Costs(1.0, 2.0, 0.5, 0.25, 0.125, 0.5, 1.5, pace)
    same = profile.result(costs=measured)
    assert same.costs_ns == about(measured.of_events)
    assert same.pace_ratio == about(1)
    # As if the processor had been slower, or faster, as the costs were measured.
    for other in (1.5 * pace, pace / 1.5):
        result = profile.result(costs=measured._replace(pace=other))
        ratio = pace_ratio(pace, other)
        assert (ratio < 1) == (other > pace)
        assert result.pace_ratio == about(ratio)
        assert result.costs_ns == about([ratio * cost for cost in measured.of_events])
        assert (result.overhead_ns < same.overhead_ns) == (ratio < 1)
    # A pace that is not known changes nothing.
    unknown = profile.result(costs=measured._replace(pace=0.0))
    assert unknown.costs_ns == measured.of_events
    assert unknown.pace_ratio == 1
    profile.clear()
    assert profile.pace_ns == 0


def test_a_timer_of_the_user_has_no_pace() -> None:
    profile = Profile(time.perf_counter)
    profile.runcall(corpus.fib, 8)
    assert profile.pace_ns == 0
    assert profile.result().pace_ratio == 1
    assert not any(profile.result().costs_ns)


def test_the_notes_say_what_was_subtracted_and_that_loops_are_slow_on_3_11() -> None:
    page = made(pace_ratio=0.61)._repr_mimebundle_()["text/html"]
    assert "times 0.61 for the pace of the processor" in page
    assert "--sample" not in page
    page = made(python="3.11.7")._repr_mimebundle_()["text/html"]
    assert "look dearer than they are" in page
    assert "--sample" in page


def test_a_result_has_a_table() -> None:
    first, *others = made().records()
    assert first["function"] == "<module>"
    assert (first["parent"], first["calls"], first["self_ns"]) == (-1, 1, 0.2e9)
    assert len(others) == 4


def numbers(count: int) -> Iterator[int]:
    yield from range(count)


def test_a_resumption_is_a_call_to_pstats_and_to_nothing_else() -> None:
    profile = Profile(builtins=False)
    profile.runcall(lambda: sum(numbers(1000)))
    result = profile.result()
    row = rows(result)[result.functions[1].label]
    assert (row.calls, row.resumes) == (1, 1000)
    assert sum(each.calls for each in rows(result).values()) == result.calls == 2
    # The built-in %prun has 1,001, and its table is our text.
    table = re.findall(r"(\d+) .*\((.*)\)", str(result).split("ncalls")[1])
    assert {name: calls for calls, name in table}["numbers"] == "1001"
    assert {entry.callcount for entry in profile.getstats()} == {1, 1001}
    cells = function_tables(rows(result), names_of(result.functions))[0].table.rows
    (cell,) = (row[0] for row in cells if row[6] == "numbers")
    assert cell == Hint("1", "and 1,000 resumptions")
    assert result.diff(result).changes[0].calls[0] == 1
