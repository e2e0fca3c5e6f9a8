"""The tools that people have read what we write: pstats, SnakeViz, gprof2dot, speedscope."""

from __future__ import annotations

import json
import pstats
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nbprobe.prun import Profile, ProfileResult

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


def check(value: Any, **kinds: Any) -> None:
    """Check that an object has these members, all of their kinds, and no others."""
    assert value.keys() == kinds.keys()
    for name, kind in kinds.items():
        assert isinstance(value[name], kind), name


def test_speedscope_files_have_what_the_format_asks_for(
    result: ProfileResult, tmp_path: Path
) -> None:
    result.export(tmp_path / "a.speedscope.json")
    document = json.loads((tmp_path / "a.speedscope.json").read_text())
    schema = document.pop("$schema")
    assert schema == "https://www.speedscope.app/file-format-schema.json"
    check(
        document,
        exporter=str,
        name=str,
        activeProfileIndex=int,
        shared=dict,
        profiles=list,
    )
    frames = document["shared"]["frames"]
    for frame in frames:
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame["name"], str)
    assert len(document["profiles"]) == len(result.threads) >= 2
    for profile in document["profiles"]:
        check(
            profile,
            type=str,
            name=str,
            unit=str,
            startValue=(int, float),
            endValue=(int, float),
            events=list,
        )
        assert (profile["type"], profile["unit"]) == ("evented", "nanoseconds")
        running, last = [], profile["startValue"]
        for event in profile["events"]:
            check(event, type=str, frame=int, at=(int, float))
            assert last <= event["at"] <= profile["endValue"]
            last = event["at"]
            assert 0 <= event["frame"] < len(frames)
            if event["type"] == "O":
                running.append(event["frame"])
            else:
                assert event["type"] == "C" and running.pop() == event["frame"]
        assert running == []
