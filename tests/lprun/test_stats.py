"""Statistics and their files: line_profiler's table and format, to the letter."""

from __future__ import annotations

import io
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import line_profiler
import pytest

from nbprobe.errors import ResultFileError
from nbprobe.lprun import LineProfiler, LineStats, load_stats, show_func, show_text

from . import workload

FILE = workload.__file__
TIMINGS: dict[tuple[str, int, str], Any] = {
    (FILE, 10, "plain"): [
        *[(11, 1, 300), (12, 2_000_000_000, 123_456_789_012_345)],
        *[(13, 7, 12), (14, 0 + 3, 0)],
    ],
    (FILE, 20, "generator"): [],
    (FILE, 43, "async_generator"): [(44, 1, 5)],
}


def printed(show: Any, *arguments: Any, **keywords: Any) -> str:
    stream = io.StringIO()
    show(*arguments, stream=stream, **keywords)
    return stream.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"output_unit": 1e-6},
        {"output_unit": 1e-3, "stripzeros": True},
        {"sort": True, "summarize": True},
        {"details": False, "summarize": True, "stripzeros": True},
        {"rich": True},
    ],
)
def test_table_is_line_profilers(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options["config"] = False
    monkeypatch.setenv("COLUMNS", "200")  # of a terminal in which rich cuts nothing off
    theirs = printed(line_profiler.show_text, TIMINGS, 1e-9, **options)
    ours = printed(show_text, TIMINGS, 1e-9, **options)
    assert ours == theirs
    assert "Line Contents" in ours or not options.get("details", True)


def test_rich_keeps_figures_beside_their_lines_where_there_is_little_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows(**options: Any) -> list[str]:
        text = printed(show_text, TIMINGS, 1e-9, config=False, **options)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        return [line.rstrip() for line in plain.splitlines() if line.strip()]

    monkeypatch.setenv("COLUMNS", "60")
    assert rows(rich=True) == rows()


def test_table_of_a_run_is_line_profilers() -> None:
    profiler = LineProfiler(workload.plain, workload.Thing.method)
    profiler.runcall(workload.plain, 30)
    stats = profiler.get_stats()
    theirs = line_profiler.LineStats(stats.timings, stats.unit)
    assert printed(stats.print) == printed(theirs.print)


def test_widths_come_from_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[tool.line_profiler.show.column_widths]\ntime = 20\nhits = 3\n"
    (tmp_path / "line_profiler.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    theirs = printed(line_profiler.show_text, TIMINGS, 1e-9)
    assert printed(show_text, TIMINGS, 1e-9) == theirs
    assert f"{'Time':>20}" in theirs


def test_function_without_text_has_its_figures() -> None:
    timings = [(4, 1, 300), (6, 2, 100)]
    text = printed(show_func, "<string>", 3, "f", timings, 1e-9)
    assert "Could not find" not in text
    assert "File: <string>\nFunction: f at line 3\n" in text
    assert re.search(r"\n +4 +1 +300\.0 +300\.0 +75\.0 +\n", text)
    assert re.search(r"\n +6 +2 +100\.0 +50\.0 +25\.0 +\n", text)


def test_stream_that_cannot_encode_gets_escapes(tmp_path: Path) -> None:
    path = tmp_path / "umlaut.py"
    path.write_text("def f():\n    return 'ä'\n", encoding="utf-8")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show_func(str(path), 1, "f", [(2, 1, 1)], 1e-9, stream=stream)
    stream.flush()
    assert b"return '\\xe4'" in stream.buffer.getvalue()  # type: ignore[attr-defined]


# ---- arithmetic ----

ONE = {("foo", 1, "spam"): [(2, 10, 300)], ("bar", 10, "spam"): [(11, 2, 1000)]}
TWO = {("bar", 10, "spam"): [(11, 10, 20000), (12, 5, 999)], ("baz", 5, "e"): []}


def test_sums_are_line_profilers() -> None:
    ours = [LineStats(ONE, 1e-6), LineStats(TWO, 1e-7)]
    theirs = [line_profiler.LineStats(ONE, 1e-6), line_profiler.LineStats(TWO, 1e-7)]
    assert ours[0] == theirs[0]
    assert ours[0] != ours[1]
    assert ours[0] + ours[1] == theirs[0] + theirs[1] == ours[1] + ours[0]
    assert ours[0] + theirs[1] == ours[0] + ours[1]
    total = ours[0]
    total += ours[1]
    assert total is ours[0] and total == theirs[0] + theirs[1]
    assert repr(ours[1]) == repr(theirs[1])
    assert LineStats.from_stats_objects(ours[1]) == ours[1]
    assert ours[1] != "something else"


# ---- files ----


def test_line_profiler_reads_our_files_and_we_theirs(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.lprof", tmp_path / "theirs.lprof"
    LineStats(ONE, 1e-6).to_file(ours)
    line_profiler.LineStats(ONE, 1e-6).to_file(theirs)
    read = line_profiler.load_stats(ours)
    assert type(read) is line_profiler.LineStats
    assert read.timings == ONE and read.unit == 1e-6
    assert load_stats(theirs) == LineStats(ONE, 1e-6)
    assert load_stats(ours, theirs) == line_profiler.load_stats(ours, theirs)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "old.lprof"
    path.write_bytes(pickle.dumps(LineStats(ONE, 1e-6), protocol))
    assert load_stats(path) == LineStats(ONE, 1e-6)


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this must never be run",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged or not a line profile"),
        (b"garbage", "damaged or not a line profile"),
        (pickle.dumps(Evil()), "it names builtins.print"),
        (pickle.dumps(LineStats({("f", 1, "g"): [Evil()]}, 1.0)), "builtins.print"),
        (pickle.dumps(sys.exit), "it names sys.exit"),
        (pickle.dumps({"timings": {}}), "not a line profile"),
        (pickle.dumps(LineStats({}, -1.0)), "the unit"),
        (pickle.dumps(LineStats({}, "x")), "the unit"),  # type: ignore[arg-type]
        (pickle.dumps(LineStats([], 1.0)), "the timings"),  # type: ignore[arg-type]
        (
            pickle.dumps(LineStats({("f", "1", "g"): []}, 1.0)),  # type: ignore[dict-item]
            "a function must be",
        ),
        (pickle.dumps(LineStats({("f", 1, "g"): [(1, 2)]}, 1.0)), "a line must be"),
        (
            pickle.dumps(LineStats({("f", 1, "g"): [(1, 2, float("nan"))]}, 1.0)),
            "a line must be",
        ),
    ],
)
def test_other_content_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    reason: str,
) -> None:
    path = tmp_path / "evil.lprof"
    path.write_bytes(content)
    with pytest.raises(ResultFileError) as caught:
        load_stats(path)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert "evil.lprof" in str(caught.value)
    assert capsys.readouterr().out == ""


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_stats(tmp_path / "missing.lprof")


def test_profile_is_dumped(tmp_path: Path) -> None:
    profiler = LineProfiler(workload.plain)
    profiler.runcall(workload.plain, 3)
    profiler.dump_stats(tmp_path / "a.lprof")
    assert load_stats(tmp_path / "a.lprof") == profiler.get_stats()
    assert line_profiler.load_stats(tmp_path / "a.lprof") == profiler.get_stats()
