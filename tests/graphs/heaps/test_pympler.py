"""``muppy``, ``summary``, ``tracker`` and ``classtracker``: pympler's names and values."""

from __future__ import annotations

import gc
import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nbprobe.graphs import muppy, refbrowser, summary, tracker
from nbprobe.graphs.classtracker import ClassTracker, Stats
from nbprobe.graphs.classtracker_stats import ConsoleStats, HtmlStats
from nbprobe.graphs.heaps.result import TypeRow

KEPT: dict[str, Any] = {}


class Item4711:
    def __init__(self) -> None:
        self.held = bytearray(1000)


def test_all_objects_are_listed() -> None:
    KEPT["text"] = "".join(map(str, range(50)))
    found = muppy.get_objects()
    assert any(it is KEPT["text"] for it in found)
    assert len(muppy.get_objects(tracked=True)) < len(found)
    assert len(found) > len(gc.get_objects())
    KEPT["large"] = bytearray(10**7)
    large = muppy.filter([*found, KEPT["large"]], Type=bytearray, min=10**7)
    assert large[-1] is KEPT.pop("large")
    assert all(type(it) is bytearray and len(it) >= 10**7 for it in large)
    small = muppy.filter(large, max=10**7)
    assert small == [] and muppy.get_size([[], []]) == 2 * muppy.get_size([[]])
    assert muppy.sort(["x" * 99, ""]) == ["", "x" * 99]
    with pytest.raises(ValueError, match="minimum"):
        muppy.filter([], min=5, max=1)
    one, two = [1], [2]
    assert muppy.get_diff([one], [one, two]) == {"+": [two], "-": []}
    assert muppy.get_referents([one]) == [one]
    assert any(it is one[0] for it in muppy.get_referents([one], level=2))


def test_the_table_is_pymplers() -> None:
    rows = [("list", 3, 2048), ("dict", 1, 100), ("str", 9, 5)]
    assert list(summary.format_(rows, limit=2)) == [
        "  types |   # objects |   total size",
        "======= | =========== | ============",
        "   list |           3 |      2.00 KB",
        "   dict |           1 |    100     B",
    ]
    assert [line.split()[0] for line in summary.format_(rows, sort="#")][2:] == [
        "str",
        "list",
        "dict",
    ]
    for wrong in ({"sort": "x"}, {"order": "x"}):
        with pytest.raises(ValueError, match="invalid"):
            list(summary.format_(rows, **wrong))  # type: ignore[arg-type]


def test_summaries_count_what_is_given_and_what_there_is() -> None:
    items = [Item4711() for _ in range(5)]
    name = f"{__name__}.Item4711"
    (row,) = summary.summarize(items)
    assert row[:2] == (name, 5)
    counts = {name: count for name, count, _ in summary.summarize()}
    assert counts[name] >= 5
    assert summary.get_diff([("a", 1, 2)], [("b", 3, 4)]) == [
        ("a", -1, -2),
        ("b", 3, 4),
    ]
    assert summary.subtract([("a", 3, 9)], [("a", 1, 2)]) == [("a", 2, 7)]


def test_a_tracker_sees_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{__name__}.Item4711"
    followed = tracker.SummaryTracker()
    objects = tracker.ObjectTracker()
    followed.diff()
    KEPT["items"] = [Item4711() for _ in range(40)]
    rows = {row[0]: row for row in followed.diff()}
    assert rows[name][1] == 40
    assert name not in {row[0] for row in followed.diff()}
    found = objects.get_diff()
    assert sum(type(it) is Item4711 for it in found["+"]) == 40 and found["-"] == []
    followed.store_summary("now")
    del found, KEPT["items"]
    gc.collect()
    rows = {row[0]: row for row in followed.diff(followed.summaries["now"])}
    assert rows[name][1] == -40
    followed.print_diff()
    assert capsys.readouterr().out.lstrip().startswith("types |")


class Holder4711:
    """Instances can have weak references."""


def test_single_objects_are_tracked(tmp_path: Path) -> None:
    followed = ClassTracker(stream=(stream := io.StringIO()))
    one, two = Holder4711(), Holder4711()
    one.data = bytearray(50_000)  # type: ignore[attr-defined]
    followed.track_class(Item4711)
    followed.track_object(one, name="the one")
    followed.track_object(two, keep=True)
    followed.create_snapshot("both", compute_total=True)
    del one, two
    followed.create_snapshot("later")
    both, later = ({it.name: it for it in m.rows} for m in followed.history.moments)
    assert both["the one"].count == 1 and both["the one"].retained > 50_000
    assert later["the one"] == TypeRow("the one", 0, 0, 0)
    (kept,) = [it for name, it in later.items() if name.endswith("Holder4711 #2")]
    assert kept.count == 1
    followed.stats.print_stats("the one")
    assert "the one" in stream.getvalue() and "Item4711" not in stream.getvalue()
    followed.stats.print_stats(limit=1)
    assert followed.stats.tracked_classes == sorted(both)
    with pytest.raises(TypeError, match="weak"):
        followed.track_object(7)
    followed.close()
    followed.create_snapshot()
    assert {it.count for it in followed.history.moments[-1].rows} == {0}


def test_snapshots_come_by_themselves_until_they_are_stopped() -> None:
    followed = ClassTracker()
    followed.track_class(Item4711)
    followed.start_periodic_snapshots(0.001)
    deadline = time.monotonic() + 120
    while len(followed.history.moments) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    followed.stop_periodic_snapshots()
    count = len(followed.history.moments)
    assert count >= 2
    assert "nbprobe snapshots" not in {it.name for it in threading.enumerate()}
    followed.stop_periodic_snapshots()
    assert len(followed.history.moments) == count


def test_holders_are_printed_as_a_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = Holder4711()
    KEPT["list"] = [held]
    KEPT["dict"] = {"x": [held]}
    tree = refbrowser.RefBrowser(held, maxdepth=2).get_tree()
    kinds = sorted(str(it).split()[0] for it in tree.children)
    assert kinds == ["list", "list"]  # the frame that runs is no object
    above = sorted(str(it) for child in tree.children for it in child.children)  # type: ignore[union-attr]
    assert above == sorted([f"dict {len(KEPT)} items", "dict 1 items"])
    refbrowser.ConsoleBrowser(held, maxdepth=1, str_func=lambda it: "x").print_tree()
    assert capsys.readouterr().out == "x-+-x\n  +-x\n"
    refbrowser.ConsoleBrowser([1], maxdepth=0, str_func=str).print_tree()
    assert capsys.readouterr().out == "[1]\n"
    browser = refbrowser.FileBrowser(held, 3, repeat=False)
    browser.print_tree(tmp_path / "tree.txt")
    lines = (tmp_path / "tree.txt").read_text().splitlines()
    assert lines[0].startswith(str(tree)) and len(lines) >= 2
    same = refbrowser.Node("a", [refbrowser.Node("b", ["c", "d"]), "e"])
    assert refbrowser.StreamBrowser(None).lines(same) == [
        "a-+-b-+-c",
        "  |   +-d",
        "  +-e",
    ]
    KEPT.clear()


def test_nothing_new_is_nothing() -> None:
    seen, single = tracker.SummaryTracker(), tracker.ObjectTracker()
    KEPT["made"] = [Item4711() for _ in range(10)]
    new = {name: count for name, count, _ in seen.diff()}
    assert new[f"{__name__}.Item4711"] == 10
    # What the trackers keep is left out: some texts and tuples for each type.
    assert new.get("tuple", 0) < 150 and new.get("str", 0) < 150
    found = single.get_diff()["+"]
    assert len([it for it in found if type(it) is Item4711]) == 10
    assert len([it for it in found if type(it) in (tuple, str)]) < 150
    found.clear()
    KEPT.clear()
    found = single.get_diff()["+"]
    assert not [it for it in found if type(it) is Item4711]
    assert len([it for it in found if type(it) in (tuple, str)]) < 150


def test_statistics_are_read_and_sorted_later(tmp_path: Path) -> None:
    class Other4711(Item4711):
        pass

    followed = ClassTracker()
    followed.track_class(Other4711, name="others")
    followed.track_class(Item4711, name="items")
    KEPT["items"] = [Item4711() for _ in range(5)]
    followed.create_snapshot("five")
    KEPT["others"] = [Other4711() for _ in range(50)]
    followed.create_snapshot("fifty")
    assert [it.description for it in followed.snapshots] == ["five", "fifty"]
    followed.stats.dump_stats(tmp_path / "profile.dat")
    stream = io.StringIO()
    stats = ConsoleStats(stream=stream)
    stats.load_stats(tmp_path / "profile.dat")

    def printed(limit: float = 1.0) -> list[str]:
        stream.seek(0)
        stream.truncate()
        stats.print_stats(limit=limit)
        return [
            it for it in stream.getvalue().splitlines() if it in ("items", "others")
        ]

    assert printed() == ["others", "items"] and printed(0.5) == ["others"]
    assert stats.sort_stats("birth", "name") is stats
    assert printed() == ["items", "others"]
    stats.reverse_order()
    assert printed() == ["others", "items"]
    stats.sort_stats("classname")
    assert printed() == ["items", "others"]
    with pytest.raises(ValueError, match="invalid sort 'x'"):
        stats.sort_stats("x")
    HtmlStats(filename=tmp_path / "profile.dat").create_html(tmp_path / "a.html")
    HtmlStats(tracker=followed).create_html(tmp_path / "b.html")
    for name in ("a.html", "b.html"):
        assert "fifty" in (tmp_path / name).read_text()
    KEPT.clear()


def test_classes_are_tracked_without_touching_them(tmp_path: Path) -> None:
    before = Item4711.__init__
    followed = ClassTracker(stream=(stream := io.StringIO()))
    followed.track_class(Item4711, name="items")
    followed.create_snapshot("start")
    KEPT["items"] = [Item4711() for _ in range(25)]
    followed.create_snapshot("after 25")
    del KEPT["items"]
    followed.create_snapshot("gone")
    assert Item4711.__init__ is before
    counts = [moment.rows[0].count for moment in followed.history.moments]
    assert counts[1] - counts[0] == 25 and counts[2] == counts[0]
    row = followed.history.moments[1].rows[0]
    assert row.retained - row.bytes > 25 * 1000
    followed.stats.print_summary()
    assert "items" in stream.getvalue() and "after 25" in stream.getvalue()
    followed.stats.create_html(tmp_path / "x.html")
    assert "after 25" in (tmp_path / "x.html").read_text()
    followed.stats.dump_stats(tmp_path / "x.json")
    assert Stats(filename=tmp_path / "x.json").history == followed.history
    followed.detach_class(Item4711)
    followed.create_snapshot()
    assert followed.history.moments[-1].rows[0].count == 0
    followed.clear()
    assert followed.history.moments == ()
