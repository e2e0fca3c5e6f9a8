"""Heaps that were made to crash whoever walks them; and that walking changes nothing."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbprobe import _core, graphs

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build and load an extension whose types break the collector's rules."""
    path = tmp_path_factory.mktemp("hostile") / "hostile.so"
    include = sysconfig.get_path("include")
    command = ["cc", "-shared", "-fPIC", "-O1", f"-I{include}", "-o", str(path)]
    subprocess.run([*command, str(HERE / "hostile.c")], check=True)
    spec = importlib.util.spec_from_file_location("hostile", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def look(value: Any) -> None:
    """Ask every tool of the heap about an object."""
    graphs.asizeof(value)
    graphs.asized(value, detail=2)
    graphs.flatsize(value)
    for show in (graphs.show_refs, graphs.show_backrefs):
        graph = show([value], max_depth=3, refcounts=True, sizes=True)
        assert graph is not None
        assert graph.nodes[0].depth == 0
    str(graphs.why(value))
    _core.referrers([value])
    _core.Heap(("nbprobe",)).retained(value)
    graphs.typestats()


@pytest.mark.parametrize("name", ["Silent", "Loud", "Lying", "Failing"])
def test_types_that_report_wrongly(hostile: Any, name: str) -> None:
    leaf = [1, 2, 3]
    holder = getattr(hostile, name)(leaf)
    count = sys.getrefcount(leaf)
    look([holder, {"x": holder}])
    look(leaf)
    assert sys.getrefcount(leaf) == count
    holders = _core.referrers([leaf])[0]
    assert any(it is holder for it in holders) is (name != "Silent")


@pytest.mark.parametrize("name", ["Silent", "Loud", "Lying", "Failing"])
def test_objects_half_built(hostile: Any, name: str) -> None:
    look(hostile.half_built(getattr(hostile, name)))


def test_a_tuple_with_items_missing(hostile: Any) -> None:
    empty = hostile.tuple_of_nothing()
    assert _core.referents(empty) == []
    graphs.asizeof([empty])
    graphs.show_refs([[1]], max_depth=1)
    _core.referrers([empty])
    assert _core.Heap(("nbprobe",)).size(empty) == sys.getsizeof((1, 2, 3))


def test_a_list_of_a_million_links_is_walked_without_a_stack() -> None:
    last: Any = None
    for _ in range(1_000_000):
        last = (last, [])
    first = last
    try:
        assert graphs.asizeof(last) > 100_000_000
        heap = _core.Heap(("nbprobe",))
        assert heap.retained(last) > 100_000_000
        del heap
        graph = graphs.show_refs([last], max_depth=50)
        assert graph is not None and len(graph.nodes) >= 51
        chain = graphs.find_ref_chain(last, lambda it: False, max_depth=30)
        assert chain == [last]
    finally:
        del first
        while last is not None:
            last = last[0]


def test_the_heap_may_change_between_calls() -> None:
    stop = threading.Event()
    shared: dict[int, Any] = {}

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[number % 50] = [shared.get(number % 7), {number: [number]}]
            if number % 300 == 0:
                shared.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(4):
            graphs.asizeof(shared)
            graphs.show_refs([shared], max_depth=4)
            graphs.show_backrefs([shared], max_depth=3)
            graphs.why(shared)
            _core.Heap(("nbprobe",)).unreached  # noqa: B018
    finally:
        stop.set()
        thread.join()


class Thing:
    def __init__(self) -> None:
        self.inner = {"x": [1.5]}


LOOKING: dict[str, Callable[[Any], object]] = {
    "asizeof": lambda it: graphs.asizeof(it),
    "asized": lambda it: graphs.asized(it, detail=2),
    "referents": lambda it: _core.referents(it) and None,
    "referrers": lambda it: _core.referrers([it]) and None,
    "names": lambda it: _core.reference_names(it, it.inner) and None,
    "running holders": lambda it: _core.running_holders([it], ()) and None,
    "heap": lambda it: _core.Heap(()).retained(it),
    "why": lambda it: graphs.why(it) and None,
    "show_refs": lambda it: graphs.picture_of(it, False),
    "show_backrefs": lambda it: graphs.picture_of(it, True),
}


@pytest.fixture
def quiet() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", LOOKING)
def test_looking_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbprobe.graphs.options import PictureOptions
    from nbprobe.graphs.references import picture

    def picture_of(it: object, backwards: bool) -> None:
        picture([it], backwards, PictureOptions(max_depth=2, sizes=True))

    monkeypatch.setattr(graphs, "picture_of", picture_of, raising=False)
    thing = Thing()
    ask = LOOKING[name]
    for _ in range(3):  # imports, caches, free lists
        ask(thing)
    gc.collect()

    def state() -> tuple[int, ...]:
        counts = map(sys.getrefcount, (thing, Thing, None.__class__, ask))
        return (*counts, len(gc.get_objects()), len(gc.get_referents(thing)))

    collections = [row["collections"] for row in gc.get_stats()]
    before, blocks = state(), sys.getallocatedblocks()
    for _ in range(5):
        ask(thing)
    assert [row["collections"] for row in gc.get_stats()] == collections
    gc.collect()
    assert state() == before
    assert not any(it is vars_of(thing) for it in gc.get_referents(thing))
    # What the interpreter keeps for reuse may have changed by a handful.
    assert abs(sys.getallocatedblocks() - blocks) < 25


def vars_of(thing: Thing) -> object:
    """Give the dictionary of an object if it has been made, without making it."""
    made = [it for it in gc.get_referents(thing) if type(it) is dict]
    return next((it for it in made if it is not thing.inner), object())
