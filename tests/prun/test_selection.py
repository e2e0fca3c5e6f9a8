"""Parts of a profile, two profiles side by side, and profiles of others."""

from __future__ import annotations

import cProfile
import marshal
import pstats
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbprobe.errors import ResultFileError
from nbprobe.prun import Function, Profile, ProfileResult, from_stats, load_stats
from nbprobe.prun.difference import ProfileDiff
from nbprobe.results import load

from . import corpus
from .test_profile import made

LIBRARY = ("json|copy|re/|textwrap|enum",)


@pytest.fixture(scope="module")
def profiled() -> ProfileResult:
    corpus.library()
    profile = Profile()
    profile.runcall(corpus.library)
    return profile.result("library()")


def shape(result: ProfileResult) -> list[Any]:
    """Give name, parent's name, calls and own time of each node, in 0.1 s."""
    rows = []
    for thread in result.selected().threads:
        names = [result.selected().functions[f].name for f in thread.function]
        for index, name in enumerate(names):
            parent = thread.parent[index]
            above = names[parent] if parent >= 0 else None
            own = round(thread.self_ns[index] / 1e8, 6)
            total = round(thread.inclusive_ns[index] / 1e8, 6)
            rows.append((above, name, thread.calls[index], own, total))
    return rows


LEN = "<built-in method builtins.len>"


def test_hidden_functions_give_their_time_to_their_callers() -> None:
    assert shape(made().select(hide=["tools"])) == [
        (None, "<module>", 1, 8.5, 10.0),
        ("<module>", LEN, 3, 1.5, 1.5),
    ]


def test_hidden_functions_without_a_caller_keep_their_time_together() -> None:
    assert shape(made().select(hide=["main.py"])) == [
        (None, "<hidden>", 0, 2.0, 2.0),
        (None, "f", 2, 5.0, 8.0),
        ("f", "f", 1, 1.5, 2.0),
        ("f", LEN, 2, 1.0, 1.0),
        ("f", LEN, 1, 0.5, 0.5),
    ]


def test_a_focus_keeps_the_way_without_its_time() -> None:
    assert shape(made().select(focus=[r"Tool\.f"])) == [
        (None, "<module>", 1, 0.0, 8.0),
        ("<module>", "f", 2, 5.0, 8.0),
        ("f", "f", 1, 1.5, 2.0),
        ("f", LEN, 2, 1.0, 1.0),
        ("f", LEN, 1, 0.5, 0.5),
    ]


def test_ignored_calls_are_gone_with_all_below_them() -> None:
    assert shape(made().select(ignore=["len"])) == [
        (None, "<module>", 1, 2.0, 8.5),
        ("<module>", "f", 2, 5.0, 6.5),
        ("f", "f", 1, 1.5, 1.5),
    ]
    assert shape(made().select(ignore=["main"])) == []
    assert "0 function calls" in str(made().select(ignore=["main"]))


def test_hiding_and_focusing_together() -> None:
    both = made().select(focus=["len"], hide=["tools"])
    assert shape(both) == [
        (None, "<module>", 1, 0.0, 1.5),
        ("<module>", LEN, 3, 1.5, 1.5),
    ]


@pytest.mark.parametrize("choice", ["focus", "hide", "ignore"])
def test_no_time_is_lost_or_made(profiled: ProfileResult, choice: str) -> None:
    part = profiled.select(**{choice: LIBRARY}).selected()  # type: ignore[arg-type]
    for thread in part.threads:
        assert thread.total_ns == pytest.approx(sum(thread.self_ns))
    rest: dict[str, float] = {
        "hide": 0.0,
        "ignore": profiled.select(focus=LIBRARY).selected().total_ns,
        "focus": profiled.select(ignore=LIBRARY).selected().total_ns,
    }
    assert part.total_ns + rest[choice] == pytest.approx(profiled.total_ns)


def test_the_whole_is_kept_and_what_is_written_is_the_part(
    profiled: ProfileResult, tmp_path: Path
) -> None:
    part = profiled.select(hide=LIBRARY)
    assert part.select() == profiled
    part.export(tmp_path / "a.collapsed")
    assert "json" not in (tmp_path / "a.collapsed").read_text()
    part.save(tmp_path / "a.json")
    assert load(tmp_path / "a.json") == part
    assert len(part.records()) < len(profiled.records())


def test_what_was_chosen_is_said() -> None:
    lines = str(made().select(focus=["Tool", "typo"], hide=["len"])).splitlines()
    assert lines[-2:] == [
        "only calls through 'Tool' or 'typo': 80 % of 1 s; no function matches 'typo'",
        "'len' hidden: 1 function folded into their callers",
    ]


def test_threads_by_themselves() -> None:
    (one,) = made().threads
    two = replace(one, name="worker", self_ns=(1e8,) * 5, inclusive_ns=(5e8,) * 5)
    text = str(made(threads=(one, two), by_thread=True))
    assert text.index("Thread MainThread") < text.index("Thread worker")
    assert text.count("ncalls") == 2
    page = made(threads=(one, two), by_thread=True)._repr_mimebundle_()["text/html"]
    assert page.count("By own time") == 2 and "<bdi>worker</bdi>" in page


# Differences


def test_what_got_slower_and_faster_and_what_is_new() -> None:
    before = made()
    (thread,) = before.threads
    functions = (
        replace(before.functions[0], file="/home/me/main.py"),
        # the same function, further down in its file
        replace(before.functions[1], line=99),
        Function("~", 0, "<built-in method builtins.abs>", "abs"),
    )
    after = made(
        functions=functions,
        threads=(replace(thread, self_ns=(0.1e9, 1.5e9, 0.15e9, 0.1e9, 0.05e9)),),
    )
    diff = before.diff(after)
    assert [(c.name, round(c.change_ns / 1e8, 3)) for c in diff.changes] == [
        ("Tool.f", 10.0),
        ("abs", 1.5),
        ("<module>", -1.0),
        ("len", -1.5),
    ]
    text = str(diff)
    assert "Slower: +1.15 s in 2 functions" in text
    assert "Faster: -250 ms in 2 functions" in text
    assert "new" in text and "gone" in text
    assert diff.records()[0]["self_before_ns"] == pytest.approx(0.65e9)


def test_a_difference_can_be_saved_and_shown(tmp_path: Path) -> None:
    diff = made().diff(made())
    diff.save(tmp_path / "diff.json")
    assert load(tmp_path / "diff.json") == diff
    assert isinstance(diff, ProfileDiff)
    assert "no function takes more time" in diff._repr_mimebundle_()["text/html"]
    assert repr(diff) == "<ProfileDiff : 1 s before, 1 s now: 1.00x as long>"


def test_a_cell_that_ran_again_is_the_same_cell() -> None:
    cells = [
        "<ipython-input-3-aa>",
        "/tmp/ipykernel_12/345.py",
        "/tmp/ipykernel_9/1.py",
    ]
    results = [
        made(functions=(Function(cell, 1, "f", "f"), *made().functions[1:]))
        for cell in cells
    ]
    for other in results[1:]:
        assert all(change.change_ns == 0 for change in results[0].diff(other).changes)


# Profiles of others


def table(stats: pstats.Stats) -> Any:
    return stats.stats  # type: ignore[attr-defined]


@pytest.fixture
def theirs() -> cProfile.Profile:
    profile = cProfile.Profile()
    profile.runcall(corpus.library)
    profile.runcall(corpus.recursion)
    return profile


def test_a_profile_of_cprofile_is_taken_over_whole(
    theirs: cProfile.Profile, tmp_path: Path
) -> None:
    theirs.dump_stats(tmp_path / "a.prof")
    result = load_stats(tmp_path / "a.prof")
    assert result == from_stats(theirs, str(tmp_path / "a.prof"))
    back, there = table(result.stats()), table(pstats.Stats(theirs))
    assert back.keys() == there.keys()
    for label, row in there.items():
        assert back[label][:2] == row[:2]
        assert back[label][2:4] == pytest.approx(row[2:4])
        assert back[label][4].keys() == row[4].keys()
        for caller, pair in row[4].items():
            assert back[label][4][caller] == pytest.approx(pair)


def test_ours_written_and_read_again_counts_the_same(tmp_path: Path) -> None:
    made().dump_stats(tmp_path / "a.prof")
    again = load_stats(tmp_path / "a.prof")
    again.dump_stats(tmp_path / "b.prof")
    first, second = (
        {
            label: (row[:2], {caller: pair[:2] for caller, pair in row[4].items()})
            for label, row in table(pstats.Stats(str(tmp_path / name))).items()
        }
        for name in ("a.prof", "b.prof")
    )
    assert first == second
    assert again.calls == made().calls


def test_pairs_are_shown_as_pairs(theirs: cProfile.Profile, tmp_path: Path) -> None:
    result = from_stats(theirs, "a.prof")
    assert "Ordered by: internal time" in str(result)
    assert "pairs of caller and function" in str(result)
    page = result._repr_mimebundle_()["text/html"]
    assert "Call graph" in page and "who called whom" not in page
    result.save(tmp_path / "a.json")
    assert load(tmp_path / "a.json") == result
    assert result.records()[0]["calls"] > 0


@pytest.mark.parametrize("content", [b"", b"what", marshal.dumps([1, 2])])
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.prof").write_bytes(content)
    with pytest.raises(ResultFileError, match="no profile of pstats"):
        load_stats(tmp_path / "a.prof")
    with pytest.raises(FileNotFoundError):
        load_stats(tmp_path / "b.prof")
