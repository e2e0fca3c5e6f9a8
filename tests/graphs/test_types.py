"""Counts, tables and look-ups, beside objgraph's own."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from typing import Any

import pytest

from nbprobe import graphs

objgraph = pytest.importorskip("objgraph", reason="compares with the real objgraph")


class Marked:
    pass


class Posing(type):
    """A metaclass that lies about its classes' names."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise AssertionError("user code was run")


class Posed(metaclass=Posing):
    pass


@pytest.fixture
def marked() -> Iterator[list[Marked]]:
    gc.collect()
    yield [Marked() for _ in range(7)]


def test_counts_are_objgraphs(marked: list[Marked]) -> None:
    for name in ("Marked", f"{__name__}.Marked", "no such type"):
        assert graphs.count(name) == objgraph.count(name)
        assert len(graphs.by_type(name)) == len(objgraph.by_type(name))
    assert graphs.count("Marked", [Marked(), 1]) == 1
    assert graphs.by_type("Marked", [1]) == []


@pytest.mark.parametrize("shortnames", [True, False])
def test_statistics_are_objgraphs(marked: list[Marked], shortnames: bool) -> None:
    ours = graphs.typestats(shortnames=shortnames)
    theirs = objgraph.typestats(shortnames=shortnames)
    name = "Marked" if shortnames else f"{__name__}.Marked"
    assert ours[name] == theirs[name] == 7
    # Each call makes and drops a few tuples and lists of its own.
    differences = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if abs(ours.get(key, 0) - theirs.get(key, 0)) > 20
    }
    assert differences == {}


def test_a_filter_and_given_objects(marked: list[Marked]) -> None:
    objects = [*marked, 1, "x", []]
    assert graphs.typestats(objects) == objgraph.typestats(objects)
    chosen = graphs.typestats(filter=lambda it: type(it) is Marked)
    assert chosen == {"Marked": 7}


def test_the_table_of_types_is_objgraphs(marked: list[Marked]) -> None:
    objects = [*marked, 1, "x", [], [], {}]
    ours, theirs = io.StringIO(), io.StringIO()
    graphs.show_most_common_types(3, objects, file=ours)
    objgraph.show_most_common_types(3, objects, file=theirs)
    assert ours.getvalue() == theirs.getvalue() != ""


def test_the_table_of_growth_is_objgraphs() -> None:
    def chosen(it: Any) -> bool:
        return type(it) is Marked

    ours, theirs = io.StringIO(), io.StringIO()
    peaks: tuple[dict[str, int], dict[str, int]] = {}, {}
    kept = [Marked() for _ in range(5)]
    for number in (3, 4):
        kept += [Marked() for _ in range(number)]
        graphs.show_growth(peak_stats=peaks[0], file=ours, filter=chosen)
        objgraph.show_growth(peak_stats=peaks[1], file=theirs, filter=chosen)
    assert (
        ours.getvalue()
        == theirs.getvalue()
        == ("Marked        8        +8\nMarked       12        +4\n")
    )
    kept.clear()
    assert graphs.growth(peak_stats=peaks[0], filter=chosen) == []


def test_growth_can_leave_garbage_alone() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    address = id(cycle)
    gc.disable()
    try:
        del cycle
        graphs.growth(peak_stats={}, collect=False)
        assert graphs.at(address) is not None
        graphs.growth(peak_stats={})
        assert graphs.at(address) is None or type(graphs.at(address)) is not list
    finally:
        gc.enable()


def test_new_ids_and_their_table(marked: list[Marked]) -> None:
    state: dict[str, Any] = {}
    graphs.get_new_ids(limit=0, _state=state)
    fresh = [Marked(), Marked()]
    file = io.StringIO()
    ids = graphs.get_new_ids(limit=None, file=file, _state=state)
    assert ids["Marked"] == {id(it) for it in fresh}
    lines = file.getvalue().splitlines()
    assert lines[0] == "=" * len(lines[0])
    assert lines[1].split() == [
        "Type",
        "Old_ids",
        "Current_ids",
        "New_ids",
        "Count_Deltas",
    ]
    row = next(line for line in lines if line.startswith("Marked "))
    assert row.split() == ["Marked", "7", "9", "+2", "+2"]
    assert set(map(id, graphs.at_addrs(ids["Marked"]))) == ids["Marked"]
    assert graphs.get_new_ids(skip_update=True, _state=state) is ids


def test_an_object_is_found_by_its_address(marked: list[Marked]) -> None:
    assert graphs.at(id(marked[3])) is marked[3]
    assert graphs.at(1) is None


def test_leaking_objects_are_those_that_nothing_tracked_holds() -> None:
    held, free = Marked(), Marked()
    holder = [held]
    objects = [held, free]
    # Not beside objgraph's: gc.get_referents() of everything frees objects twice that
    # _asyncio of CPython 3.12 keeps for reuse, and the next collection never ends.
    assert list(map(id, graphs.get_leaking_objects(objects))) == [id(free)]
    assert holder


def test_a_class_with_a_lying_metaclass_is_counted_by_its_own_name() -> None:
    kept = Posed()
    assert graphs.count("Posed") == 1
    assert kept
