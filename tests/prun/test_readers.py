"""The tools that people have read what we write: pstats, SnakeViz, gprof2dot, speedscope."""

from __future__ import annotations

import dataclasses
import json
import pstats
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nbprobe.code import Code
from nbprobe.prun import Profile, ProfileResult
from nbprobe.prun.exports import speedscope
from nbprobe.prun.sampling import sample

from . import corpus


@pytest.fixture(scope="module")
def result() -> ProfileResult:
    corpus.library()
    profile = Profile()
    worker = threading.Thread(target=corpus.recursion)
    with profile:
        worker.start()
        corpus.library()
        worker.join()
    return profile.result("library()")


@pytest.fixture
def prof(result: ProfileResult, tmp_path: Path) -> Path:
    result.dump_stats(tmp_path / "a.prof")
    return tmp_path / "a.prof"


def test_snakeviz_reads_it(prof: Path, result: ProfileResult) -> None:
    from snakeviz.stats import json_stats, table_rows

    stats = pstats.Stats(str(prof))
    rows = table_rows(stats)
    assert any("json/__init__.py" in str(row) for row in rows)
    assert len(rows) == len(result.stats().stats)  # type: ignore[attr-defined]
    tree = json_stats(stats)
    (fib,) = (row for name, row in tree.items() if "(fib)" in name)
    assert fib["stats"][1] == 465  # fib(12)


def test_gprof2dot_reads_it(prof: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gprof2dot", "-f", "pstats", "-n0", "-e0", prof],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("digraph") and "fib" in done.stdout
    assert "465" in done.stdout
    if shutil.which("dot"):
        drawn = subprocess.run(
            ["dot", "-Tsvg"], input=done.stdout, capture_output=True, text=True
        )
        assert "</svg>" in drawn.stdout


UNITS = ("none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes")
NUMBER = (int, float)


def members(value: Any, needed: dict[str, Any], optional: dict[str, Any]) -> None:
    """Refuse an object without what it needs, with something else, or of other kinds."""
    assert isinstance(value, dict)
    assert needed.keys() <= value.keys() <= needed.keys() | optional.keys()
    for name, kind in {**needed, **optional}.items():
        if name in value:
            assert isinstance(value[name], kind) and value[name] is not True, name


def check_speedscope(document: Any) -> None:
    """Refuse what is no speedscope file, by the format that speedscope documents."""
    members(
        document,
        {"$schema": str, "shared": dict, "profiles": list},
        {"name": str, "activeProfileIndex": int, "exporter": str},
    )
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    members(document["shared"], {"frames": list}, {})
    frames = document["shared"]["frames"]
    for frame in frames:
        members(frame, {"name": str}, {"file": str, "line": int, "col": int})
    if "activeProfileIndex" in document:
        assert 0 <= document["activeProfileIndex"] < len(document["profiles"])
    for profile in document["profiles"]:
        members(
            profile,
            {
                **{"type": str, "name": str, "unit": str, "events": list},
                **{"startValue": NUMBER, "endValue": NUMBER},
            },
            {},
        )
        assert profile["type"] == "evented" and profile["unit"] in UNITS
        assert profile["startValue"] <= profile["endValue"]
        check_events(profile, len(frames))


def check_events(profile: dict[str, Any], frames: int) -> None:
    """Refuse events out of order, outside of the profile, or that do not nest."""
    running, last = [], profile["startValue"]
    for event in profile["events"]:
        members(event, {"type": str, "frame": int, "at": NUMBER}, {})
        assert last <= event["at"] <= profile["endValue"]
        last = event["at"]
        assert 0 <= event["frame"] < frames
        if event["type"] == "O":
            running.append(event["frame"])
        else:
            assert event["type"] == "C" and running
            assert running.pop() == event["frame"]
    assert running == []


def test_speedscope_files_are_of_its_format(
    result: ProfileResult, tmp_path: Path
) -> None:
    hidden = dataclasses.replace(result, hide=("json",))
    sampled = sample(Code.parse("time.sleep(0.05)"), globals={"time": time})
    for each in (result, hidden, sampled, Profile().result()):
        each.export(tmp_path / "a.speedscope.json")
        document = json.loads((tmp_path / "a.speedscope.json").read_text())
        if not document["profiles"]:
            assert not each.threads
            del document["activeProfileIndex"]
        check_speedscope(document)
    result.export(tmp_path / "a.speedscope.json")
    document = json.loads((tmp_path / "a.speedscope.json").read_text())
    assert len(document["profiles"]) == len(result.threads) >= 2
    assert {profile["unit"] for profile in document["profiles"]} == {"nanoseconds"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("$schema",), "https://example.org"),
        (("shared", "frames", 0, "name"), None),
        (("shared", "frames", 0, "colour"), "red"),
        (("profiles", 0, "type"), "drawn"),
        (("profiles", 0, "unit"), "fortnights"),
        (("profiles", 0, "endValue"), 0.5),
        (("profiles", 0, "events", 0, "at"), -1),
        (("profiles", 0, "events", 0, "frame"), 10**9),
        (("profiles", 0, "events", 0, "type"), "C"),
        (("profiles", 0, "events", 1, "at"), "soon"),
        (("activeProfileIndex",), 99),
    ],
)
def test_the_check_of_speedscope_files_finds_what_is_wrong(
    result: ProfileResult, place: tuple[Any, ...], value: Any
) -> None:
    document = json.loads(speedscope(result))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(AssertionError):
        check_speedscope(document)
