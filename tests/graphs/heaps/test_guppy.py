"""``hpy``: what users of guppy type first, beside guppy where it is there."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbprobe.errors import ResultFileError
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
    saved = h.load(tmp_path / "x.heap")
    assert isinstance(saved, ObjectSet) and saved.bytype.partition.rows
    with pytest.raises(ValueError, match="has no objects in common"):
        first & saved
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


def test_sets_of_two_moments_are_put_together(orders: list[Any]) -> None:
    h = hpy()
    before = h.heap()
    orders.extend(Order4711() for _ in range(9))
    new = h.heap() - before
    assert keys(new.bytype)[NAME] == 9
    # What the two heaps consist of is nobody's data.
    assert not [key for key in keys(new.bytype) if key.startswith("nbprobe.")]
    assert new.count < 500
    one, same, other, all_of_them = (
        h.iso(*it) for it in (orders[:1], orders[:1], orders[1:2], orders)
    )
    assert one == same != other and hash(one) == hash(same)
    assert one < all_of_them > other and one <= same >= one
    assert one.disjoint(other) and not new.disjoint(all_of_them)


def test_looking_again_and_again_leaves_nothing_behind(orders: list[Any]) -> None:
    h = hpy()
    gc.collect()
    gc.disable()  # what is in circles would stay
    try:
        str(h.heap().bytype[0])
        before = h.heap().count
        for _ in range(2):
            assert h.heap()[0].byid[0].count == 1
        assert h.heap().count - before < 50
        assert not [key for key in keys(h.heapu()) if key.startswith("nbprobe.")]
    finally:
        gc.enable()


def test_the_largest_object_stands_first_by_itself(orders: list[Any]) -> None:
    orders.append("x" * 10_000_000)
    largest = hpy().heap().byid[0]
    assert largest.theone is orders[-1]
    assert [path.rpartition(".")[2] for path in largest.sp] == ["ORDERS[20]"]
    assert str(largest).endswith("ORDERS[20]")


def test_membership_is_that_of_objects(orders: list[Any]) -> None:
    h = hpy()
    assert orders[0] in h.heap() and orders[0] in h.iso(*orders)
    assert orders[0] not in h.iso(orders[1])
    rows = h.heap()
    assert len(rows) == len(rows.partition) < rows.count


def test_kinds_stand_where_sets_stand(orders: list[Any]) -> None:
    h = hpy()
    vars(orders[0])
    made = h.heap()
    assert (made & Order4711).count == 20 == (made & h.Type(Order4711)).count
    assert (made & h.Type(NAME)) == (made & Order4711)
    owned = made & h.Clodo(dictof=Order4711)
    assert orders[0].__dict__ in owned
    assert not owned & h.Clodo(dictof=())
    assert (made & dict) == (made & h.Type(dict))
    assert (made & h.Id(id(orders[3]))).theone is orders[3]
    assert (made & Order4711 & h.Rcs(list)).count == 20
    assert (made & Order4711 & h.Via("[…]")).count == 20
    size = (made & Order4711).bysize.partition.rows[0].key
    assert (made & Order4711 & h.Size(int(size))).count >= 1
    assert not made & Order4711 & h.Size(10**9).alt(">=")
    assert (made - Order4711 | Order4711) == made
    both = made & (h.Type(list) | h.Type(Order4711))
    assert both.count == (made & list).count + 20
    assert (both - ~h.Type(list)) == (made & list)
    assert keys(made.by(h.Type).whole) == keys(made.bytype)
    assert (made & h.Anything) == made and not made & h.Nothing
    assert (made & h.Module(__name__)).count >= 20


def test_ways_past_something(orders: list[Any]) -> None:
    def past(holder: object) -> list[str]:
        return hpy().iso(orders[2]).get_shpaths(avoid_nodes=hpy().iso(holder))

    aside = {"kept": orders[2]}
    ORDERS.append(aside)
    h = hpy()
    made = h.iso(orders[2])
    (path,) = made.sp
    assert path.endswith("ORDERS[2]")
    first, second = made.pathsin
    assert {first.rpartition(".")[2], second.rpartition(".")[2]} == {
        "ORDERS[2]",
        "ORDERS[20]['kept']",
    }
    assert any(name.endswith(".held") for name in made.pathsout)
    (path,) = made.get_shpaths(src=h.iso(aside))
    assert path.endswith("ORDERS[20]['kept']")
    assert [path.rpartition(".")[2] for path in past(ORDERS)] == ["aside['kept']"]
    del aside
    assert past(ORDERS) == []
    other = {"other": orders[2]}
    globals()["OTHER"] = other
    del other
    try:
        (path,) = past(ORDERS)
    finally:
        del globals()["OTHER"]
    assert path.endswith("OTHER['other']")


def test_parts_of_a_pattern_are_sets(orders: list[Any]) -> None:
    pattern = hpy().idset(orders).rp
    assert pattern.a.theone is ORDERS
    with pytest.raises(AttributeError, match="no line 'zz'"):
        _ = pattern.zz


def test_where_the_one_object_was_made(orders: list[Any]) -> None:
    tracemalloc.start()
    try:
        made = bytearray(3000)
        assert __file__ in hpy().iso(made).prod
    finally:
        tracemalloc.stop()
    assert hpy().iso(made).prod == "unknown"


def test_figures_are_written_and_read(orders: list[Any], tmp_path: Path) -> None:
    h, path = hpy(), tmp_path / "figures.hpy"
    before = h.heap()
    before.dump(path)
    orders.extend(Order4711() for _ in range(9))
    h.heap().stat.dump(path)
    first, second = h.loadall(path)
    assert str(h.load(path)) == str(first)
    assert str(first).splitlines()[0] == str(before).splitlines()[0]
    assert str(first.table(None)) == str(before.all)
    change = second - first
    assert {row.name: row.count for row in change.get_rows()}[NAME] == 9
    assert str(change).startswith("Summary of difference operation (A-B).")
    change.dump(path)
    assert str([*h.loadall(path)][2]) == str(change)
    assert len(first[:3]) == 3 and first[0].count == first.rows[0].count
    with pytest.raises(ValueError, match="parted differently"):
        first - h.heap().bysize.stat
    guppy = pytest.importorskip("guppy")
    with path.open() as file:
        assert str(guppy.hpy().load(file)) == str(first)


@pytest.mark.parametrize(
    "text", [".r: x\n", "nothing\n", ".count: 3\n", ".r: 1 2\n.end: .loader: x\n"]
)
def test_damaged_figures_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.hpy"
    path.write_text(text)
    with pytest.raises(ResultFileError, match=r"bad\.hpy"):
        hpy().load(path)


def test_sets_of_two_moments_row_by_row(orders: list[Any], tmp_path: Path) -> None:
    h = hpy()
    before = h.heap().bytype
    h.dumph(tmp_path / "before.heap")
    orders.extend(Order4711() for _ in range(9))
    now = h.heap().bytype
    saved = h.load(tmp_path / "before.heap")
    assert isinstance(saved, ObjectSet)
    for earlier in (before, saved):
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
