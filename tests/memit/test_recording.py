"""The files of mprof: as memory_profiler writes and reads them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mprof
import pytest

from nbprobe.errors import ResultFileError
from nbprobe.memit.recording import Course, Recording, Span, read
from nbprobe.results import load
from nbprobe.views.colours import BLUE, MAGENTA, VIOLET
from nbprobe.views.timeline import Bar, Series, timeline

RECORDING = Recording(
    "python script.py 'a b'",
    Course(0, (10.5, 60.25, 20.0), (1000.1, 1000.2, 1000.4)),
    (
        Span("__main__.outer", 10.5, 1000.11, 20.0, 1000.39, 0),
        Span("__main__.inner", 12.0, 1000.15, 14.0, 1000.25, 1),
    ),
    (Course(77, (1.5, 2.5), (1000.2, 1000.3)),),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    RECORDING.dump(tmp_path / "a.dat")
    assert read(tmp_path / "a.dat") == RECORDING
    RECORDING.save(tmp_path / "a.json")
    assert load(tmp_path / "a.json") == RECORDING


def test_memory_profiler_reads_what_is_written(tmp_path: Path) -> None:
    RECORDING.dump(tmp_path / "a.dat")
    theirs: dict[str, Any] = mprof.read_mprofile_file(str(tmp_path / "a.dat"))
    assert theirs["cmd_line"].strip() == RECORDING.command
    assert tuple(theirs["mem_usage"]) == RECORDING.main.mib
    assert tuple(theirs["timestamp"]) == RECORDING.main.time_s
    assert theirs["func_timestamp"]["__main__.inner"] == [
        [1000.15, 1000.25, 12.0, 14.0, 1]
    ]
    assert theirs["children"]["77"] == [(1.5, 1000.2), (2.5, 1000.3)]


def test_names_with_blanks_stay_one_word(tmp_path: Path) -> None:
    span = Span(".my block", 1.0, 2.0, 3.0, 4.0, 0)
    Recording("", RECORDING.main, (span,), ()).dump(tmp_path / "a.dat")
    theirs = mprof.read_mprofile_file(str(tmp_path / "a.dat"))
    assert theirs["func_timestamp"] == {".my_block": [[2.0, 4.0, 1.0, 3.0, 0]]}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_older_files_have_no_depth(tmp_path: Path) -> None:
    text = "CMDLINE x\nMEM 1.0 2.0\nFUNC m.f 1.0 2.0 3.0 4.0\nFUNC m.g h 1 2 3 4 5\n"
    spans = read(write(tmp_path / "a.dat", text)).spans
    assert spans == (
        Span("m.f", 1.0, 2.0, 3.0, 4.0, 0),
        Span("m.g h", 1.0, 2.0, 3.0, 4.0, 5),
    )


def test_samples_are_put_in_order(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.dat", "MEM 2 5\nMEM 1 4\nODD thing\n"))
    assert recording.main == Course(0, (1.0, 2.0), (4.0, 5.0))


def test_a_last_line_that_is_cut_short_is_left_out(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.dat", "MEM 2.0 5.0\nMEM 3.0 6"))
    assert recording.main.mib == (2.0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MEM 1.0 2.0\nMEM 1.0\n", "line 2 is 'MEM 1.0'"),
        ("MEM nan 2.0\n", "line 1"),
        ("MEM 1.0 2.0\n\x00\x01\n", "line 2"),
        ("FUNC m.f 1.0 2.0\n", "line 1"),
        ("\n", "line 1 is ''"),
        ("", "no memory was recorded"),
        ("CMDLINE sleep 1\n", "no memory was recorded"),
        ('{"format": "nbprobe"}\n', "line 1"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ResultFileError) as raised:
        read(write(tmp_path / "a.dat", text))
    assert message in str(raised.value)
    assert "a.dat" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_peaks_and_slopes() -> None:
    assert RECORDING.peak_mib() == 60.25
    assert RECORDING.peak_mib("__main__.inner") == 60.25
    assert math.isnan(RECORDING.peak_mib("__main__.other"))
    assert Course(0, (1.0, 3.0, 5.0), (10.0, 11.0, 12.0)).slope == pytest.approx(2.0)
    assert Course(0, (1.0, 3.0), (10.0, 10.0)).slope == 0.0


def test_a_window_is_in_seconds_from_the_beginning() -> None:
    part = RECORDING.window(0.25, 1.0)
    assert part.main.mib == (20.0,)
    assert [span.name for span in part.spans] == ["__main__.outer"]
    assert part.processes[0].mib == ()


FUNCTIONS = [("long", 0.0, 8.0), ("brief", 8.1, 8.2)]


def test_short_functions_are_named_below_their_bars() -> None:
    bars = [Bar(name, start, 1.0, end, 2.0, 0) for name, start, end in FUNCTIONS]
    courses = [Series("itself", (0.0, 9.0), (1.0, 2.0)), Series("7", (1.0,), (5.0,))]
    picture = timeline(courses, bars, flame=True, title="t")
    assert picture is not None
    # THEN each has its name once: in its bar, or in the legend with a colour of its own
    assert picture.svg.count(">long<") == picture.svg.count(">brief<") == 1
    assert picture.alt.endswith("7 5 B")
    by_name = {"itself": BLUE, "7": VIOLET, "brief": MAGENTA}
    for name, colour in by_name.items():
        before = picture.svg[: picture.svg.index(f">{name}<")]
        assert before[before.rindex("fill='#") :].startswith(f"fill='{colour}'")
