"""The pass through the heap: what it counts, what it leaves as it was."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbprobe import _core
from nbprobe.graphs import find_backref_chain, is_proper_module


class Node:
    def __init__(self, *held: object) -> None:
        self.held = held


KEPT: list[object] = []


class Hostile:
    """Everything that a profiler may not call, raising."""

    def _refuse(self, *args: object) -> object:
        raise AssertionError("user code was run")

    __eq__ = __hash__ = __repr__ = __str__ = __len__ = __bool__ = __iter__ = _refuse  # type: ignore[assignment]
    __getattribute__ = __sizeof__ = __contains__ = __dir__ = _refuse  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def calls() -> list[Callable[[], object]]:
    target = Node([1])
    return [
        lambda: _core.Heap(()),
        lambda: _core.referrers([target.held]),
        lambda: _core.referents(target),
        lambda: _core.reference_names(target, target.held),
        lambda: _core.paths_to(target, (), 3),
        lambda: _core.count_types(),
    ]


@pytest.mark.parametrize("which", range(6))
def test_looking_leaves_objects_blocks_and_dictionaries_as_they_were(
    which: int,
) -> None:
    # GIVEN instances whose attributes have no dictionary, and a call that has run once
    nodes = [Node(number) for number in range(200)]
    call = calls()[which]
    call()
    heap = _core.Heap(())
    sizes = [heap.size(node) for node in nodes]
    # WHEN it runs again, and its answer is dropped
    objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
    counts = [sys.getrefcount(node) for node in nodes]
    for _ in range(5):
        call()
    # THEN nothing is left of it, and no dictionary was made
    assert [sys.getrefcount(node) for node in nodes] == counts
    del counts
    assert len(gc.get_objects()) - objects <= 1
    assert abs(sys.getallocatedblocks() - blocks) < 150
    heap = _core.Heap(())
    assert [heap.size(node) for node in nodes] == sizes
    assert all(type(held) is not dict for held in _core.referents(nodes[0]))


def test_no_code_of_the_objects_runs() -> None:
    hostile = Hostile()
    holder = {"it": hostile}
    heap = _core.Heap(())
    assert heap.retained(hostile) >= heap.size(hostile) > 0
    assert any(found is holder for found in _core.referrers([hostile])[0])
    assert _core.reference_names(holder, hostile) == [("value", "it")]
    _core.paths_to(hostile, (), 3)


def test_retained_is_what_a_collection_frees() -> None:
    # GIVEN a holder of 1,000 lists, of which somebody else holds one
    lists = [[bytes(1000)] for _ in range(1000)]
    shared = lists[0]
    holder = Node(lists)
    del lists
    heap = _core.Heap(())
    retained, lent = heap.retained(holder), heap.retained(shared)
    # THEN the others count, and the shared one does not
    one = sys.getsizeof([None]) + sys.getsizeof(bytes(1000))
    assert 999 * one <= retained <= 999 * one + 9000 + 2000
    assert lent == pytest.approx(one, abs=64)


def test_retained_does_not_count_the_frames_of_hidden_packages() -> None:
    leaf = [1] * 1000
    KEPT.append([leaf])
    size = _core.Heap(()).size(leaf)
    # This function holds the leaf as well, so that the list does not hold it alone.
    assert _core.Heap(()).retained(KEPT) < size
    hidden = _core.Heap((__name__.partition(".")[0],))
    assert hidden.retained(KEPT) > size
    KEPT.clear()


def test_garbage_is_not_reached_and_retains_nothing() -> None:
    node = Node()
    node.held = (node,)
    ghost = weakref.ref(node)
    del node
    heap = _core.Heap(())
    assert heap.unreached >= 2
    kept = ghost()
    assert heap.retained(kept) == 0
    del kept
    gc.collect()
    assert ghost() is None


def test_an_object_made_later_is_not_in_the_heap() -> None:
    heap = _core.Heap(())
    late = [Node() for _ in range(10_000)]
    with pytest.raises(LookupError, match="was not in the heap"):
        for node in late:
            heap.size(node)


def test_sizes_agree_with_getsizeof_where_that_is_right() -> None:
    samples: list[object] = [
        [],
        [1] * 100,
        (),
        (1, 2, 3),
        {},
        {"a": 1},
        dict.fromkeys(range(1000)),
        set(),
        set(range(100)),
        frozenset(range(9)),
        0,
        1,
        -5,
        2**100,
        1.5,
        "",
        "abc",
        "é",
        "日本",
        "\U0001f600",
        b"",
        b"xyz",
        bytearray(100),
        range(3),
        len,
        Node,
        test_garbage_is_not_reached_and_retains_nothing,
        gc,
        slice(1),
        3j,
        None,
    ]
    heap = _core.Heap(())
    for sample in samples:
        assert heap.size(sample) == sys.getsizeof(sample), type(sample)


def test_attributes_without_a_dictionary_are_counted() -> None:
    node = Node()
    assert _core.Heap(()).size(node) > sys.getsizeof(node)


def test_types_count_untracked_objects_too() -> None:
    marks = [float(number) + 0.25 for number in range(5000)]
    counts = {name: count for name, count, _ in _core.Heap(()).types()}
    assert counts["float"] >= len(marks)


def test_types_have_their_modules() -> None:
    kept = Node()
    names = {name for name, _, _ in _core.Heap(()).types()}
    assert f"{__name__}.Node" in names
    assert {"dict", "list", "type"} <= names
    assert kept


def test_a_long_chain_of_lists() -> None:
    chain: list[object] = []
    for _ in range(100_000):
        chain = [chain]
    heap = _core.Heap(())
    assert heap.retained(chain) > 100_000 * 60
    while chain:  # a million nested deallocations otherwise
        chain = chain.pop()


def test_other_threads_may_change_the_heap_between_calls() -> None:
    stop = threading.Event()

    def churn() -> None:
        kept: list[object] = []
        while not stop.is_set():
            kept.append(Node({"a": [1]}, {1, 2}))
            if len(kept) > 500:
                kept.clear()

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        _core.Heap(()).types()
        _core.referrers([Node])
        _core.paths_to(Node, (), 2)
    stop.set()
    for thread in threads:
        thread.join()


def test_running_generators_and_frames_are_walked() -> None:
    def generate() -> Iterator[object]:
        secret = Node()
        yield _core.paths_to(secret, (), 5)
        yield secret

    holders, paths = next(iter(generate()))  # type: ignore[misc]
    assert holders >= 1
    assert ("frame", "secret") in {(kind, name) for kind, name, _ in paths}


def test_a_generator_that_waits_holds_its_variables() -> None:
    def generate() -> Iterator[object]:
        secret = Node()
        yield secret

    waiting = generate()
    secret = next(waiting)
    assert any(found is waiting for found in _core.referrers([secret])[0])
    assert _core.reference_names(waiting, secret) == [("variable", "secret")]


def test_arguments_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(TypeError):
        _core.Heap([])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _core.Heap((1,))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _core.referrers(())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="search"):
        _core.referrers([], ())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit"):
        _core.paths_to([], (), -1)


def test_holders_that_no_list_of_objects_has_are_found() -> None:
    constants = calls.__code__.co_consts
    assert any(it is calls.__code__ for it in _core.referrers([constants])[0])
    assert _core.referrers([int.__dict__["real"].__objclass__.__mro__])[0]
    (namespace,) = (it for it in gc.get_referents(int.__dict__) if type(it) is dict)
    assert any(it is int for it in _core.referrers([namespace])[0])
    inner = (object(),)[0]
    untracked = (inner, "text")
    gc.collect()
    assert not gc.is_tracked(untracked)
    assert any(it is untracked for it in _core.referrers([inner])[0])


def test_one_search_serves_several_questions() -> None:
    leaf = Node()
    KEPT.append([leaf])
    search = _core.start_search()
    late = [leaf]
    (holders,) = _core.referrers([leaf], search)
    assert any(it is KEPT[-1] for it in holders)
    assert not any(it is search for it in holders)
    # Where it is a list of objects, those made since are not in it.
    assert any(it is late for it in holders) is (search is None)
    (holders,) = _core.tracked_referrers([leaf], search)
    assert any(it is KEPT[-1] for it in holders)
    KEPT.clear()


def test_tuples_of_constants_and_of_types_are_looked_for_thoroughly() -> None:
    code = compile("x = (1, 2, 'three', None, 4.5)", "x", "exec")
    constants = code.co_consts
    assert any(it is code for it in _core.referrers([constants])[0])
    fresh = (1, "x", (2,), b"y", frozenset(), 2j, None, ...)
    replaced = code.replace(co_consts=fresh)
    assert any(it is replaced for it in _core.referrers([fresh])[0])


def test_a_chain_leads_through_untracked_holders() -> None:
    inner = "".join(map(str, range(40)))
    KEPT.append((inner, 1))
    gc.collect()
    assert not gc.is_tracked(KEPT[-1])
    chain = find_backref_chain(inner, is_proper_module, extra_ignore=iter([]))
    assert is_proper_module(chain[0]) and chain[-1] is inner
    KEPT.clear()


def test_what_is_lent_goes_with_who_lends_it() -> None:
    KEPT.append([])
    holder = {id(KEPT[-1]): (_core.Memory(4096, 10**9), _core.Memory(1, 10**9))}
    for named in (True, False):
        graph = _core.Heap((__name__.partition(".")[0],), named, holder)
        size = graph.size(KEPT[-1])
        assert graph.retained(KEPT[-1]) == 2 * 10**9 + size
    KEPT.clear()


@pytest.mark.parametrize(
    ("lent", "error"),
    [
        ({"x": ()}, ValueError),
        ({0: ()}, ValueError),
        ({1 << 70: ()}, ValueError),
        ({16: []}, ValueError),
        ([], TypeError),
    ],
)
def test_wrong_lists_are_refused(lent: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        _core.Heap((), False, lent)


def test_addresses_of_nothing_lend_nothing() -> None:
    piece = _core.Memory(4096, 777)
    count = sys.getrefcount(piece)
    for named in (True, False):
        graph = _core.Heap((), named, {16: (piece,), 32: ()})
    assert sys.getrefcount(piece) == count
    assert graph.size(piece) == piece.size == piece.__sizeof__() == 777
    assert piece.address == 4096
