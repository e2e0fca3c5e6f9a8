"""``%heap``, ``%growth``, ``%sizes``, ``%cycles`` and ``%refcount``, through a real shell."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import nbprobe
from nbprobe.graphs import load_heap
from nbprobe.graphs.heaps.result import Cycles, Growth, HeapSummary, Leaks, Variables

from ...cell.shells import Session, bare, session

__all__ = ["bare", "session"]

CLASSES = """class Purchase4711:
    def __init__(self, *held):
        self.held = list(held)
orders = []"""


def test_the_heap_is_shown_saved_and_compared(session: Session, tmp_path: Path) -> None:
    session.run(CLASSES)
    ran = session.run(f"%heap -o --save {tmp_path}/a.heap")
    assert isinstance(ran.value, HeapSummary)
    assert "What alone keeps most alive" in ran.stdout
    assert load_heap(tmp_path / "a.heap").objects == ran.value.objects
    session.run("orders += [Purchase4711() for _ in range(500)]")
    session.run("text = 'x' * 9_000_000; keep = [text + 'y']; del text")
    after = session.run("%heap -q -o").value
    rows = {row.name: row for row in after.diff(ran.value).types}
    assert rows["__main__.Purchase4711"].count == (0, 500)
    (row,) = (row for row in after.types if row.name == "__main__.Purchase4711")
    assert row.retained > row.bytes > 500 * 40
    assert "keep[0]" in {row.holder for row in after.biggest}
    after.save(tmp_path / "x.json")
    assert nbprobe.load(tmp_path / "x.json") == after
    assert after.to_dataframe().shape[0] == len(after.types)


def test_growth_between_cells_names_the_holder(session: Session) -> None:
    session.run(CLASSES)
    first = session.run("%growth")
    assert "remembered" in first.stdout and first.value is None
    session.run("orders.extend(Purchase4711([index]) for index in range(300))")
    ran = session.run("%growth -o")
    assert isinstance(ran.value, Growth)
    types = {row.name: row for row in ran.value.types}
    assert types["__main__.Purchase4711"].count == 300
    assert types["__main__.Purchase4711"].change == 300
    assert types["list"].count >= 300
    held = {it.type: it for it in ran.value.clusters}
    cluster = held["__main__.Purchase4711"]
    assert cluster.holder == "orders[…]" and cluster.entrances == 300
    # But for those that lie where something lay before.
    assert cluster.count >= 850 and cluster.place == "variable of __main__"
    # WHEN nothing happens in between THEN nothing of the user's is new
    ran = session.run("%growth -o")
    assert not {it.type for it in ran.value.clusters} & {"__main__.Purchase4711"}
    session.run("orders.clear()")
    gone = session.run("%growth -o").value
    assert gone.objects[1] - gone.objects[0] < -300


def test_growth_of_a_statement_and_of_a_cell(session: Session) -> None:
    session.run(CLASSES)
    line = session.run("%growth -o orders.append(Purchase4711())")
    assert {it.holder for it in line.value.clusters} >= {"orders[0]"}
    cell = session.run("%%growth -o\nmore = [Purchase4711()\n for _ in range(7)]")
    types = {row.name: row.count for row in cell.value.types}
    assert types["__main__.Purchase4711"] == 7
    assert len(session.names["more"]) == 7 and len(session.names["orders"]) == 1
    awaited = session.run("import asyncio\n%growth -o await asyncio.sleep(0)")
    assert isinstance(awaited.value, Growth)


def test_what_a_statement_left_is_shown_when_it_raises(session: Session) -> None:
    session.run(CLASSES)
    ran = session.run("%growth (orders.append(Purchase4711()), 1 / 0)")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "orders[0]" in ran.stdout


def test_leaks_are_told_from_caches(session: Session) -> None:
    session.run(CLASSES)
    session.run(
        "cache = {}\n"
        "def handle():\n"
        "    cache.setdefault('once', [bytearray(5000)])\n"
        "    orders.append(Purchase4711())\n"
        "    return [Purchase4711() for _ in range(9)]"
    )
    ran = session.run("%growth -o --leaks handle()")
    assert isinstance(ran.value, Leaks)
    assert len(session.names["orders"]) == 2
    found = {it.holder: it for it in ran.value.clusters}
    assert found["orders[0]"].again == 1
    assert found["cache['once']"].again == 0
    assert "run twice" in ran.stdout
    with_names = session.run("def f(many):\n    %growth -q --leaks many.append([])\n")
    assert with_names.error is None
    assert session.run("mine = []; f(mine); len(mine)").value == 2


def test_sizes_of_variables(session: Session) -> None:
    session.run(
        "shared = bytearray(50_000)\na = [shared]; b = [shared, bytearray(9000)]"
    )
    ran = session.run("%sizes -o")
    assert isinstance(ran.value, Variables)
    rows = {it.name: it for it in ran.value.variables}
    assert {"a", "b", "shared"} <= rows.keys() and "In" not in rows
    assert rows["a"].deep > 50_000 > rows["a"].retained
    assert rows["b"].deep > 59_000 > rows["b"].retained > 9_000
    assert rows["shared"].retained > 50_000 and rows["shared"].holders == 2
    assert rows["a"].holders == 0
    assert "shared" in dict(rows["a"].shared) and dict(rows["a"].shared)["b"] > 50_000
    assert [it.name for it in session.run("%sizes -q -o b").value.variables] == ["b"]
    session.run("def f():\n    inner = [1] * 999\n    %sizes -v kept inner\n")
    session.run("f()")
    assert session.names["kept"].variables[0].shallow > 999 * 8


def test_an_error_of_sizes_keeps_no_variable(session: Session) -> None:
    session.run("held = [1, 2, 3]")
    session.run("%sizes nosuch4711")
    assert session.run("%refcount -q -o held").value.total == 1


def test_cycles_and_pauses(session: Session) -> None:
    session.run(CLASSES)
    gc.collect()
    gc.disable()
    try:
        session.run("gone = Purchase4711(); gone.held.append(gone); del gone")
        ran = session.run("%cycles -o")
    finally:
        gc.enable()
    assert isinstance(ran.value, Cycles)
    assert not ran.value.enabled and ran.value.count >= 1
    (ring,) = (it.ring for it in ran.value.cycles if "Purchase4711" in "".join(it.ring))
    assert sorted(ring[:2]) == ["__main__.Purchase4711.held", "list[0]"]
    ran = session.run("import gc\n%cycles -o gc.collect(); gc.collect(0)")
    assert [it.generation for it in ran.value.pauses] == [2, 0]
    assert all(it.ns > 0 for it in ran.value.pauses)
    assert not [it for it in gc.callbacks if "watched" in repr(it)]
    ran = session.run("%%cycles\ngc.collect()\n1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "1 collection in" in ran.stdout


def test_references_are_counted_exactly(session: Session) -> None:
    session.run("class Thing: pass\nx = Thing(); y = [x, x]; z = {'k': x}")
    ran = session.run("%refcount -o x")
    assert ran.value.total == 4 and ran.value.outside == 0
    assert dict(ran.value.objects) == {"x": 1, "y[0]": 1, "y[1]": 1, "z['k']": 1}
    session.run("def f(it):\n    %refcount -v found it\n")
    session.run("f(x)")
    found = session.names["found"]
    assert any(name.startswith("it in f()") for name, _ in found.frames)
    assert session.run("%refcount -o None").value.total is None or True
    assert session.run("%refcount -o [1, 2]").value.total == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%heap x", "%heap: takes options only, not 'x'"),
        ("%heap --save /no/such/dir/f", "%heap: --save: [Errno 2]"),
        ("%growth --leaks", "%growth: --leaks needs a statement: %growth --leaks f()"),
        ("%growth --leak f()", "%growth: there is no option --leak"),
        ("%sizes nothing", "%sizes: there is no variable 'nothing'"),
        ("%refcount", "%refcount: give one expression, as in %refcount x"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    session: Session, line: str, message: str
) -> None:
    assert session.run(line).usage_error.startswith(message.partition(": there")[0])


def test_what_is_on_the_first_line_of_a_cell_is_refused(session: Session) -> None:
    ran = session.run("%%growth x = 1\ny = 2")
    assert ran.usage_error.startswith("%%growth: the statements go below")


def test_showing_nothing_and_keeping_it(session: Session) -> None:
    for line in ("%sizes -q", "%cycles -q", "%growth -q"):
        assert session.run(line).stdout == ""
    session.run("%heap -q -v kept")
    assert isinstance(session.names["kept"], HeapSummary)
