"""The objects in the blocks of a measurement, found without touching what is not one."""

from __future__ import annotations

import sys
import threading
from typing import Any

from nbprobe import _core


class Thing:
    pass


class Slotted:
    __slots__ = ("value",)


def test_objects_of_every_layout_are_found() -> None:
    exact = _core.Allocations(_core.ALLOCATIONS_EXACT)
    before = Thing()
    with exact:
        made: list[Any] = [
            Thing(),
            Slotted(),
            "x" * len("ab" * 99),
            b"y" * len("c" * 99),
        ]
        made[0].text = "in attributes" * len(made)
        inside = "z" * len(made[2])
        holder = {"key": (inside, 1.5)}  # neither of these two is tracked
        made += [lambda: made, type("Made", (), {}), frozenset(made[2:4])]
        found = exact.objects()
        kinds = {cls: (objects, size) for cls, objects, size in exact.types()}
    for obj in [*made, made[0].text, inside]:
        assert any(obj is other for other in found), obj
    assert not any(before is other for other in found)
    assert kinds[Thing][0] == 1
    assert kinds[bytes][1] >= 99
    assert holder["key"][0] is inside


def test_it_is_empty_when_nothing_can_be_known() -> None:
    for level in (_core.ALLOCATIONS_COUNTS, _core.ALLOCATIONS_EXACT):
        counted = _core.Allocations(level)
        assert (counted.objects(), counted.types()) == ([], [])
        with counted:
            kept = [Thing() for _ in range(10)]
            if level == _core.ALLOCATIONS_COUNTS:
                assert counted.objects() == []
        assert counted.objects() == []
        assert len(kept) == 10


def test_while_threads_allocate() -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            [Thing() for _ in range(100)]
            bytearray(10_000)

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with _core.Allocations(_core.ALLOCATIONS_EXACT) as exact:
            for _ in range(2):
                assert all(objects >= 0 for _, objects, _ in exact.types())
                assert isinstance(exact.objects(), list)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_looking_leaves_nothing_behind() -> None:
    with _core.Allocations(_core.ALLOCATIONS_EXACT) as exact:
        kept = [Thing() for _ in range(50)]
        references = sys.getrefcount(kept[0])
        counts = []
        for _ in range(4):
            del exact.objects()[:]
            exact.types()
            counts.append(sys.getallocatedblocks())
        assert counts[-1] - counts[1] < 10
        after = sys.getrefcount(kept[0])
    assert after == references
