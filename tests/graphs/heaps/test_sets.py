"""Heaps and sets of their objects, against plain references and real objects."""

from __future__ import annotations

import collections
import functools
import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbprobe import _core
from nbprobe.graphs import heap
from nbprobe.graphs.heaps.holders import way_to


class Thing:
    def __init__(self, *held: object) -> None:
        self.held = list(held)


class Slotted:
    __slots__ = ("slot",)


KEPT: dict[str, Any] = {}
HELD: dict[str, Any] = {}  # of a fixture


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    KEPT.clear()
    gc.enable()


def generate(secret: object) -> Iterator[object]:
    yield 1
    del secret


def suspended(secret: object) -> object:
    running = generate(secret)
    next(running)
    return running


def closure(secret: object) -> object:
    return lambda: secret


def slotted(secret: object) -> object:
    holder = Slotted()
    holder.slot = secret
    return holder


def raised(secret: object) -> object:
    return ValueError(secret)


def materialised(secret: object) -> object:
    holder = Thing()
    holder.secret = secret  # type: ignore[attr-defined]
    vars(holder)
    return holder


NAMES: dict[str, tuple[Any, str]] = {
    "list": (lambda it: [0, it], "[1]"),
    "list, subclass": (lambda it: type("L", (list,), {})([0, it]), "[1]"),
    "tuple": (lambda it: (0, 0, it), "[2]"),
    "named tuple": (lambda it: collections.namedtuple("T", "a b")(0, it), "[1]"),
    "dict": (lambda it: {"a": 0, "b": it}, "['b']"),
    "dict, mixed keys": (lambda it: {"a": 0, 7: it}, "[7]"),
    "dict, key": (lambda it: {it: 1}, "(key)"),
    "defaultdict": (lambda it: collections.defaultdict(list, b=it), "['b']"),
    "OrderedDict": (lambda it: collections.OrderedDict(a=0, b=it), "['b']"),
    "set": (lambda it: {it, 1}, "(member)"),
    "frozenset": (lambda it: frozenset([it]), "(member)"),
    "deque": (lambda it: collections.deque([0, it]), "[1]"),
    "attribute": (lambda it: Thing(it), ".held[0]"),
    "attribute, dictionary": (materialised, ".secret"),
    "slot": (slotted, ".slot"),
    "closure": (closure, ".__closure__[0].cell_contents"),
    "generator": (suspended, ".gi_frame.f_locals['secret']"),
    "method": (lambda it: functools.partial(print, it), ".args[0]"),
    "exception": (raised, ".args[0]"),
    "bound method": (lambda it: type("B", (), {"f": lambda self: 1, "x": it})().f, ""),
    "weak callback": (lambda it: None, ""),
}


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    """How one heap names the thing in each kind of holder."""
    secrets = {kind: Thing() for kind in NAMES}
    made = {kind: make(secrets[kind]) for kind, (make, _) in NAMES.items()}
    HELD.update(made)
    graph = heap(hidden=("nbprobe", __name__))
    found = {}
    for kind, secret in secrets.items():
        (node,) = graph.core.nodes(graph.of(secret).content, 2)
        found[kind] = way_to(graph.core, node).expression
    HELD.clear()
    return found


@pytest.mark.parametrize("kind", [kind for kind, (_, name) in NAMES.items() if name])
def test_references_have_names(kind: str, names: dict[str, str]) -> None:
    assert names[kind].endswith(f"HELD['{kind}']{NAMES[kind][1]}")


def test_no_code_runs_and_nothing_is_made() -> None:
    nodes = [Thing(number) for number in range(300)]

    def look() -> None:
        heap().core.unreached_set()
        heap().all.by("kind")
        heap().summary()

    look()
    objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
    counts = [sys.getrefcount(node) for node in nodes]
    for _ in range(2):
        look()
    assert [sys.getrefcount(node) for node in nodes] == counts
    del counts
    assert abs(len(gc.get_objects()) - objects) <= 3
    assert abs(sys.getallocatedblocks() - blocks) < 200
    assert all(type(it) is not dict for it in _core.referents(nodes[0]))


def test_algebra_is_that_of_sets() -> None:
    KEPT["nodes"] = [Thing(number) for number in range(50)]
    graph = heap(names=False)
    nodes = graph.type("Thing")
    lists = graph.type("list")
    assert graph.of(*KEPT["nodes"]) <= nodes and not nodes & lists
    both = nodes | lists
    assert both - lists == nodes and nodes <= both and not both <= nodes
    assert both ^ nodes == lists and both.count == nodes.count + lists.count
    assert len(both) == len(both.parts) == 2
    assert both.size == nodes.size + lists.size
    assert sum(row.count for row in both.by("type").rows) == both.count
    held = nodes.referents & lists
    assert held.count >= 50 and nodes & held.referrers
    assert graph.of(KEPT["nodes"]).referents <= nodes
    assert hash(nodes) == hash(graph.type("Thing"))
    later = heap(names=False)
    assert nodes & later.of(*KEPT["nodes"]) == graph.of(*KEPT["nodes"])
    with pytest.raises(TypeError, match="not a set of objects, a kind or a class: set"):
        nodes & {1}  # type: ignore[operator]


def test_partitions_give_sets_back() -> None:
    KEPT["node"] = Thing("x" * 5000)
    vars(KEPT["node"])
    graph = heap()
    for by in ("kind", "type", "size", "holders", "module", "via", "identity"):
        parts = graph.all.by(by)  # type: ignore[arg-type]
        assert sum(row.count for row in parts.rows) == graph.objects
        assert next(iter(parts)).count == parts.rows[0].count
        assert parts[:].count == graph.objects
        assert parts[0].size == parts.rows[0].size
    kinds = graph.all.byclodo.partition
    assert any(row.key.startswith("dict of ") for row in kinds.rows)
    text = str(graph.of(KEPT["node"].held).referrers.byrcs)
    assert text.startswith("Partition of a set of ")
    assert " Index  Count   %     Size   % Cumulative  % Referrers by Type" in text
    sizes = graph.type("str").bysize.partition.rows
    assert any(int(row.key) > 5000 for row in sizes)


def test_new_objects_are_those_since_a_mark() -> None:
    mark = heap(names=False).mark()
    KEPT["new"] = [Thing() for _ in range(20)]
    graph = heap(names=False)
    new = graph.since(mark)
    assert graph.of(*KEPT["new"]) <= new
    assert (new & graph.type("Thing")).count == 20
    assert new.count < graph.objects / 4
    live = (new & graph.type("Thing")).live()
    assert {id(it) for it in live} == {id(it) for it in KEPT["new"]}
    ghosts = [weakref.ref(it) for it in live]
    KEPT.clear()
    live.clear()
    assert not any(ghost() for ghost in ghosts)
    assert (new & graph.type("Thing")).live() == []


def test_what_a_set_retains_is_what_goes_with_it() -> None:
    shared, *texts = (letter * 4000 for letter in ["s", "a", "b"])
    shared = Thing(shared)
    KEPT["a"], KEPT["b"] = (Thing(text, shared) for text in texts)
    del texts
    shared_node = shared
    del shared
    graph = heap(names=False, hidden=("nbprobe", __name__))
    a, b = graph.of(KEPT["a"]), graph.of(KEPT["b"])
    shared = graph.of(shared_node)
    assert not shared & a.dominos and not shared & b.dominos
    assert shared <= (a | b).dominos
    assert a.domisize > 4000 and b.domisize > 4000
    assert (a | b).domisize > a.domisize + b.domisize + 4000
    assert a.domisize == graph.core.retained(KEPT["a"])


def test_variables_of_suspended_functions_are_written_as_code() -> None:
    def wait(kept: object) -> Iterator[int]:
        yield 1

    KEPT["generator"] = wait(Thing(4711))
    next(KEPT["generator"])
    secret = KEPT["generator"].gi_frame.f_locals["kept"]
    graph = heap(hidden=("nbprobe", __name__))
    (path,) = graph.of(secret).sp
    assert path == f"{__name__}.KEPT['generator'].gi_frame.f_locals['kept']"


class Link:
    def __init__(self, following: Link | None) -> None:
        self.following = following
        self.load = bytes(500)


def test_a_long_list_is_named_by_its_first_link() -> None:
    first = None
    for _ in range(20_000):
        first = Link(first)
    KEPT["first"] = first
    KEPT["beside"] = bytearray(3_000_000)
    last = first
    while last is not None and last.following is not None:
        last = last.following
    graph = heap()
    (held,) = [it for it in graph.summary().biggest if it.type.endswith(".Link")]
    assert held.holder in ("first", f"{__name__}.KEPT['first']")
    # Its links, all of which hold more, hide nothing else.
    others = {it.holder for it in graph.summary().biggest}
    assert f"{__name__}.KEPT['beside']" in others
    (path,) = graph.of(last).sp
    assert " more … .following" in path and len(path) < 400
    del last, path
    while first is not None:  # link by link: the stack may be short
        KEPT["first"], first.following = first.following, None
        first = KEPT["first"]


def test_garbage_is_found_and_left() -> None:
    node = Thing()
    node.held.append(node)
    ghost = weakref.ref(node)
    del node
    graph = heap()
    assert graph.garbage & graph.type("Thing")
    assert ghost() is not None


GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30
        ),
        st.sets(st.integers(0, count - 1)),
    )
)


@settings(max_examples=10, deadline=None)
@given(GRAPHS, st.data())
def test_random_objects_agree_with_the_definition(
    graph: tuple[int, list[tuple[int, int]], set[int]], data: st.DataObject
) -> None:
    """Retained, reached and held, of lists that hold each other at random."""
    count, edges, roots = graph
    members: list[list[Any]] = [[] for _ in range(count)]
    for source, target in edges:
        members[source].append(members[target])
    ids = [id(it) for it in members]
    KEPT["roots"] = [members[root] for root in sorted(roots)]
    members.clear()
    taken = heap(names=False, hidden=("nbprobe", "hypothesis", __name__)).core
    numbers = [taken.find_address(it) for it in ids]
    targets: dict[int, set[int]] = {number: set() for number in range(count)}
    for source, target in edges:
        targets[source].add(target)

    def reach(starts: set[int], without: set[int]) -> set[int]:
        found: set[int] = set()
        todo = list(starts - without)
        while todo:
            it = todo.pop()
            if it not in found:
                found.add(it)
                todo += targets[it] - without
        return found

    alive = reach(roots, set())
    chosen = data.draw(st.sets(st.sampled_from(range(count)), min_size=1))
    known = [it for it in range(count) if numbers[it] is not None]
    assert alive <= set(known)
    chosen &= alive
    content = taken.set_of([numbers[it] for it in sorted(chosen)])  # type: ignore[misc]

    def names(found: bytes) -> set[int]:
        bits = int.from_bytes(found, "little")
        return {it for it in known if bits >> (numbers[it] or 0) & 1}

    assert names(taken.reach(content, True)) & alive == reach(chosen, set())
    assert names(taken.neighbours(content, False)) == {
        target for it in chosen for target in targets[it]
    }
    # The roots are held by a list that has them, too.
    lost = alive - reach(roots, chosen)
    assert names(taken.retained_set(content)) & alive == lost
    KEPT.clear()
    gc.collect()


@pytest.fixture(scope="module")
def core() -> _core.Heap:
    return heap(names=False).core


@pytest.mark.parametrize(
    "call",
    [
        lambda core: core.total(b""),
        lambda core: core.total(3),
        lambda core: core.node(-1),
        lambda core: core.node(core.objects),
        lambda core: core.node("x"),
        lambda core: core.set_of([core.objects]),
        lambda core: core.set_of((1,)),
        lambda core: core.classes(None, "colour"),
        lambda core: core.tally(None, b"1234", 1),
        lambda core: core.tally(None, bytes(4 * core.objects), core.objects + 1),
        lambda core: core.select(None, bytes(3), b""),
        lambda core: core.alive(None, ()),
        lambda core: core.new_since(core),
        lambda core: core.cycles(b"x"),
        lambda core: core.entrances(b"x"),
        lambda core: core.write(-1, ""),
        lambda core: _core.Mark([]),  # type: ignore[arg-type]
        lambda core: _core.all_objects([]),  # type: ignore[arg-type]
        lambda core: _core.Heap.read(bytearray(8)),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(call: Any, core: _core.Heap) -> None:
    with pytest.raises((TypeError, ValueError, IndexError, OSError)):
        call(core)


def test_an_object_made_later_is_not_in_it() -> None:
    graph = heap(names=False)
    late = [Thing() for _ in range(20_000)]
    with pytest.raises(LookupError, match="was not in the heap"):
        graph.of(*late)


def test_all_objects_are_listed_without_frames() -> None:
    KEPT["text"] = "".join(map(chr, range(97, 120))) * 3
    found = _core.all_objects(())
    assert any(it is KEPT["text"] for it in found)
    assert any(it is KEPT for it in found)
