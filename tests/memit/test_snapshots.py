"""Snapshots beside tracemalloc's, and %memdiff."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbprobe import load, memit

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]


class Thing:
    pass


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    yield
    memit.stop()
    assert not memit.is_tracing()


def make() -> list[bytes]:
    return [bytes(1000 + index) for index in range(100)]


def test_a_difference_names_the_line_as_tracemalloc_does() -> None:
    tracemalloc.start()
    try:
        theirs0 = tracemalloc.take_snapshot()
        ours0 = memit.snapshot()
        data = make()
        ours, theirs = memit.snapshot(), tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    mine = ours.compare_to(ours0, "lineno")[0]
    files = tracemalloc.Filter(True, __file__)
    known = [
        it
        for it in theirs.filter_traces([files]).compare_to(
            theirs0.filter_traces([files]), "lineno"
        )
        if it.traceback[0].lineno == mine.traceback[-1].lineno
    ]
    assert mine.traceback[-1].filename == __file__
    assert abs(mine.size_diff - known[0].size_diff) < 1000
    assert mine.count_diff == pytest.approx(known[0].count_diff, abs=3)
    assert "size=" in str(mine) and len(data) == 100


def test_statistics_by_every_key() -> None:
    memit.start()
    things = [Thing() for _ in range(50)]
    data = make()
    snapshot = memit.snapshot()
    by_file = {it.traceback[-1].filename: it for it in snapshot.statistics("filename")}
    assert by_file[__file__].size > 105_000
    (kind,) = (it for it in snapshot.statistics("type") if it.type.endswith(".Thing"))
    assert kind.count == len(things)
    traces = snapshot.statistics("traceback")
    assert any(len(it.traceback) > 3 for it in traces)
    lines = snapshot.statistics("lineno", cumulative=True)
    assert max(it.size for it in lines) >= max(
        it.size for it in snapshot.statistics("lineno")
    )
    assert len(data) == 100
    with pytest.raises(ValueError, match="the key must be one of lineno"):
        snapshot.statistics("colour")
    with pytest.raises(ValueError, match="cumulative is for lines"):
        snapshot.statistics("type", cumulative=True)


def test_filters_are_tracemallocs(tmp_path: Path) -> None:
    memit.start()
    data = make()
    snapshot = memit.snapshot(types=False)
    only = snapshot.filter_traces([tracemalloc.Filter(True, __file__)])
    without = snapshot.filter_traces([tracemalloc.Filter(False, __file__)])
    assert only.alive_bytes > 100_000 > without.alive_bytes
    only.save(tmp_path / "s.json")
    assert load(tmp_path / "s.json") == only
    assert "alive" in only._repr_mimebundle_()["text/html"]
    assert len(data) == 100


def test_what_an_object_is_from_as_tracemalloc_says() -> None:
    before = bytes(1000)
    assert memit.get_object_traceback(before) is None
    tracemalloc.start(10)
    try:
        memit.start(10)
        objects = [bytes(1000), Thing(), make()[3], "x".ljust(2000)]
        for each in objects:
            ours = memit.get_object_traceback(each)
            theirs = tracemalloc.get_object_traceback(each)
            assert ours is not None and ours[-1].filename == __file__
            if theirs is None:  # 3.11 looks for objects like this one beside them
                assert sys.version_info < (3, 12) and isinstance(each, Thing)
                continue
            assert list(map(str, ours)) == list(map(str, theirs))
            assert ours.format() == theirs.format()
            assert ours.format(2) == theirs.format(2)
            assert ours.format(-2) == theirs.format(-2)
            assert ours.format(3, True) == theirs.format(3, True)
        memit.reset_peak()
        current, peak = memit.get_traced_memory()
        assert 4000 < current <= peak < 3_000_000
        del objects[:], each
        bytes(5_000_000)
        assert memit.get_traced_memory()[1] > 5_000_000 + current - 10_000
    finally:
        tracemalloc.stop()
    assert memit.get_object_traceback(before) is None
    memit.stop()
    assert memit.get_traced_memory() == (0, 0)


def test_tracemallocs_names(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="start"):
        memit.take_snapshot()
    memit.start(7)
    assert memit.get_traceback_limit() == 7
    kept = [bytes(100_000 + number) for number in range(5)]
    taken = memit.take_snapshot()
    (largest, *_) = taken.statistics("lineno")
    assert largest.size > 500_000 and largest.traceback.total_nframe is None
    # WHEN filters of every kind are applied
    assert (
        not taken.filter_traces((memit.Filter(False, __file__),)).alive_bytes > 100_000
    )
    assert taken.filter_traces((memit.DomainFilter(True, 0),)) == taken
    assert taken.filter_traces((memit.DomainFilter(False, 0),)).sites == ()
    taken.dump(tmp_path / "taken")
    assert memit.Snapshot.load(tmp_path / "taken") == taken
    memit.clear_traces()
    assert memit.get_traced_memory()[0] < 100_000 and memit.get_traceback_limit() == 7
    assert "average=" in str(taken.compare_to(taken, "lineno")[0])
    del kept


def test_memdiff_shows_what_a_cell_leaves(session: Session) -> None:
    session.run("class Thing: pass")
    ran = session.run(
        "%%memdiff\nkept = [Thing() for _ in range(100)]\nx = bytearray(9000)"
    )
    assert ran.error is None
    assert "stay allocated" in ran.stdout
    assert "x = bytearray(9000)" in ran.stdout
    assert "__main__.Thing" in ran.stdout and "+100" in ran.stdout
    growth = session.run("%memdiff -q -o y = bytearray(10**6)").value
    assert growth.lines[0].bytes > 10**6
    assert "y = bytearray" in growth._repr_mimebundle_()["text/html"]


def test_memdiff_shows_what_there_is_when_an_error_ends_it(session: Session) -> None:
    ran = session.run("%memdiff kept = bytearray(9000); 1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "ended early" in ran.stdout and "kept = bytearray(9000)" in ran.stdout
    growth = session.run("%memdiff -q -o again = bytearray(9000)").value
    assert "contextlib._GeneratorContextManager" not in {it.type for it in growth.kinds}


def test_memdiff_shows_nothing_of_itself(session: Session) -> None:
    session.run("%memdiff")
    session.run("kept = bytearray(9000)")
    assert session.run("%memdiff").error is None
    growth = session.run("%memdiff -q -o").value
    assert [it.type for it in growth.kinds if "nbprobe" in it.type] == []
    # What was looked up to show the lines is ours as well.
    assert abs(sum(it.bytes for it in growth.kinds if it.type == "str")) < 50_000


def test_memdiff_names_the_users_lines(session: Session) -> None:
    text = "[" + ",".join(f"{number}.5" for number in range(5000)) + "]"
    session.run(f"import json; text = {text!r}; rows = []")
    growth = session.run("%memdiff -q -o rows += json.loads(text)").value
    first = growth.lines[0]
    assert "json.loads" in first.text and "decoder" not in first.file
    assert first.bytes > 5000 * 24
    session.run("%memdiff")
    session.run("more = json.loads(text)")
    growth = session.run("%memdiff -q -o").value
    assert "json.loads" in growth.lines[0].text


def test_memdiff_since_the_last_one(session: Session) -> None:
    assert "counting from now on" in session.run("%memdiff").stdout
    session.run("z = bytearray(5 * 10**6)")
    growth = session.run("%memdiff -q -o").value
    assert 5 * 10**6 < growth.bytes < 7 * 10**6
    session.run("del z")
    assert session.run("%memdiff -q -o").value.bytes < -4 * 10**6
    assert "unknown option" in session.run("%memdiff -z x").usage_error
