"""``hpy``: what users of guppy type first, beside guppy where it is there."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbprobe.graphs import hpy
from nbprobe.graphs.heaps.sets import ObjectSet


class Order4711:
    def __init__(self, *held: object) -> None:
        self.held = list(held)


ORDERS: list[Any] = []


@pytest.fixture
def orders() -> Iterator[list[Any]]:
    gc.collect()
    ORDERS.extend(Order4711({"k": number}) for number in range(20))
    yield ORDERS
    ORDERS.clear()


def keys(members: ObjectSet) -> dict[str, int]:
    return {row.key: row.count for row in members.partition.rows}


NAME = f"{__name__}.Order4711"


def test_a_session_of_guppy(orders: list[Any], tmp_path: Path) -> None:
    h = hpy()
    first = h.heap()
    assert repr(first).startswith("Partition of a set of ")
    assert (
        repr(first).splitlines()[-1].endswith("more rows. Type e.g. '_.more' to view.>")
    )
    assert repr(first.more).splitlines()[2].startswith("    10 ")
    assert repr(first.more.more).splitlines()[2].startswith("    20 ")
    assert first[0].count == first.partition.rows[0].count
    assert first[:3] == first[0] | first[1] | first[2]
    assert [part.count for part in first[:2]] == [it.count for it in first[:2].parts]
    made = h.iso(*orders)
    assert (first & made).count == 20
    assert keys(made) == {NAME: 20}
    assert made[0].count == 20
    assert h.iso(orders[3]).theone is orders[3]
    with pytest.raises(ValueError, match="a set of one object"):
        _ = made.theone
    h.dumph(tmp_path / "x.heap")
    assert h.load(tmp_path / "x.heap").bytype.partition.rows
    assert h.idset(iter(orders)).count == 20
    assert h.iso([1, 2]).count == 1  # nobody else holds it
    assert h.heapu().count >= 0


def test_a_reference_point(orders: list[Any]) -> None:
    h = hpy()
    h.setref()
    orders.extend(Order4711() for _ in range(7))
    new = h.heap().bytype
    assert keys(new)[NAME] == 7
    assert not [key for key in keys(new) if key.startswith("nbprobe.")]
    h.setrelheap()
    assert NAME not in keys(h.heap().bytype)


def test_by_what_holds_and_by_which_name(orders: list[Any]) -> None:
    h = hpy()
    made = h.idset(orders)
    assert keys(made.byrcs) == {"list": 20}
    assert keys(made.byvia) == {"'[…]'": 20}
    mixed = h.iso(orders[0].held, ORDERS)
    names = {name.rpartition(" ")[2] for name in keys(mixed.byvia)}
    assert "\"['ORDERS']\"" in names
    assert any(".held" in name or "'held'" in name for name in names)
    assert made.byvia[0] == made
    assert "Referred Via:" in str(made.byvia)
    assert made.referrers.bytype[0].count == 1
    assert made.imdom == made.referrers


def test_each_by_itself(orders: list[Any]) -> None:
    made = hpy().idset(orders)
    rows = keys(made.byid)
    assert len(rows) == 20 and set(rows.values()) == {1}
    assert any(key.endswith("ORDERS[7]") for key in rows)
    assert f"{id(orders[7]):#x}" in str(made.byid.more) + str(made.byid)


def test_by_the_line_that_made_it(orders: list[Any]) -> None:
    assert keys(hpy().idset(orders).byprod) == {"unknown": 20}
    tracemalloc.start()
    try:
        # Python 3.11 does not find its traces of objects with attributes.
        orders.append(bytearray(5000))
        rows = keys(hpy().idset(orders).byprod)
    finally:
        tracemalloc.stop()
    assert rows.pop("unknown") == 20
    ((place, count),) = rows.items()
    assert count == 1 and place.rpartition(":")[0] == __file__


def test_shortest_paths_have_numbers(orders: list[Any]) -> None:
    made = hpy().idset(orders[:2])
    assert [path.rpartition(".")[2] for path in made.sp] == ["ORDERS[0]", "ORDERS[1]"]
    assert str(made.shpaths).startswith(" 0: ")
    assert len(made.get_shpaths(1)) == 1


def test_the_reference_pattern_is_a_tree_by_kind(orders: list[Any]) -> None:
    orders[0].held.append(orders)  # a circle
    lines = repr(hpy().idset(orders).rp).splitlines()
    assert lines[0] == "Reference Pattern by <[dict of] class>."
    assert lines[1].startswith(f" 0: _ --- [-] 20 {NAME}: 0x")
    assert lines[2].startswith(" 1:   a     [-] 1 list: ") and "ORDERS" in lines[2]
    rest = "\n".join(lines[3:])
    assert f"[S] 1 dict of module: {__name__}" in rest
    assert "[^ 0]" in rest
    short = str(hpy().idset(orders).get_rp(depth=1)).splitlines()
    assert len(short) == 3 and "[+]" in short[2]
    assert len(str(hpy().idset(orders).get_rp(depth=0)).splitlines()) == 2
    with pytest.raises(ValueError, match="depth must be 0 or more"):
        hpy().iso(orders).get_rp(-1)


def test_figures_are_guppys(orders: list[Any]) -> None:
    guppy = pytest.importorskip("guppy")
    theirs, ours = guppy.hpy(), hpy()
    for chosen in ([*range(300, 400)], [str(it) for it in range(50)], [[1, 2], (3,)]):
        assert ours.iso(*chosen).count == theirs.iso(*chosen).count
        assert ours.iso(*chosen).size == theirs.iso(*chosen).size


def test_sets_of_two_moments_row_by_row(orders: list[Any], tmp_path: Path) -> None:
    h = hpy()
    before = h.heap().bytype
    h.dumph(tmp_path / "before.heap")
    orders.extend(Order4711() for _ in range(9))
    now = h.heap().bytype
    for earlier in (before, h.load(tmp_path / "before.heap")):
        changes = {row.name: row.count for row in now.diff(earlier).types}
        old, new = changes[NAME]
        assert (old, new) == (20, 29)
    assert now.diff(now).types == ()
    assert now.indisize == now.size
    assert keys(now.byunity) == {"*": now.count}


def test_dictionaries_have_owners(orders: list[Any]) -> None:
    h = hpy()
    vars(orders[0])
    kinds = h.heap()
    owners = kinds.graph.of(orders[0].__dict__).owners
    assert owners.count == 1 and owners == kinds.graph.of(orders[0])
