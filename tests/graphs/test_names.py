"""By what name one object holds another: every kind of reference."""

from __future__ import annotations

import functools
import gc
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

import pytest

from nbprobe import _core
from nbprobe.graphs.labels import edge_names

T: list[int] = [0]


class Plain:
    def __init__(self) -> None:
        self.x = T


class Slots:
    __slots__ = ("p", "q")


class Both(Slots):
    pass


class Sequence(list[Any]):
    pass


def function(default: object = T, *, keyword: object = T) -> object:
    return default


def closure() -> types.FunctionType:
    held = T

    def inner() -> object:
        return held

    return inner  # type: ignore[return-value]


def generate() -> Iterator[int]:
    local = T
    yield 1
    assert local


async def wait() -> None:
    local = T
    await Forever()
    assert local


class Forever:
    def __await__(self) -> Iterator[None]:
        yield


def failure() -> Exception:
    try:
        local = T
        raise ValueError(local)
    except ValueError as error:
        return error


def slotted() -> Slots:
    it = Slots()
    it.q = T  # type: ignore[attr-defined]
    return it


def both() -> Both:
    it = Both()
    it.p = T  # type: ignore[attr-defined]
    return it


def with_dict() -> Plain:
    it = Plain()
    vars(it)
    return it


def advanced() -> Iterator[int]:
    it = generate()
    next(it)
    return it


def awaited() -> Any:
    it = wait()
    it.send(None)
    return it


KINDS: list[tuple[str, Any, Any, list[tuple[str, Any]]]] = [
    ("list", lambda: [1, T], T, [("index", 1)]),
    ("list, twice", lambda: [T, T], T, [("index", 0), ("index", 1)]),
    ("tuple", lambda: (T,), T, [("index", 0)]),
    ("list subclass", lambda: Sequence([T]), T, [("index", 0)]),
    ("dict value", lambda: {"a": T, (1, 2): T}, T, [("value", "a"), ("value", (1, 2))]),
    ("dict key", lambda: {function: 1}, function, [("key", None)]),
    ("ordered dict", lambda: OrderedDict(a=T), T, [("value", "a")]),
    ("set", lambda: {function}, function, [("member", None)]),
    ("frozenset", lambda: frozenset({function}), function, [("member", None)]),
    ("attribute", Plain, T, [("attribute", "x")]),
    ("slot", slotted, T, [("attribute", "q")]),
    ("slot of a base", both, T, [("attribute", "p")]),
    ("instance's class", Plain, Plain, [("attribute", "__class__")]),
    ("module", lambda: gc, vars(gc), [("attribute", "__dict__")]),
    (
        "defaults",
        lambda: function,
        function.__defaults__,
        [("attribute", "__defaults__")],
    ),
    ("code", lambda: function, function.__code__, [("attribute", "__code__")]),
    ("globals", lambda: function, globals(), [("attribute", "__globals__")]),
    ("cell", lambda: closure().__closure__[0], T, [("attribute", "cell_contents")]),
    ("generator", advanced, T, [("variable", "local")]),
    ("coroutine", awaited, T, [("variable", "local")]),
    ("frame", lambda: failure().__traceback__.tb_frame, T, [("variable", "local")]),
    ("bound method", lambda: T.append, T, [("attribute", "__self__")]),
    (
        "partial",
        lambda: functools.partial(function, T),
        function,
        [("attribute", "func")],
    ),
    ("property", lambda: property(function), function, [("attribute", "fget")]),
    (
        "static method",
        lambda: staticmethod(function),
        function,
        [("attribute", "__func__"), ("attribute", "__wrapped__")],
    ),
    (
        "weak reference",
        lambda: weakref.ref(Plain, function),
        function,
        [("attribute", "__callback__")],
    ),
    ("slice", lambda: slice(T), T, [("attribute", "stop")]),
    (
        "code's constant",
        lambda: function.__code__,
        function.__code__.co_consts,
        [("attribute", "co_consts")],
    ),
    ("nothing held", lambda: [1], T, []),
]


@pytest.mark.parametrize(
    ("make", "target", "names"),
    [row[1:] for row in KINDS],
    ids=[row[0] for row in KINDS],
)
def test_each_kind_of_reference(make: Any, target: Any, names: Any) -> None:
    holder = make()
    assert _core.reference_names(holder, target) == names
    del holder


def test_a_dictionary_that_was_asked_for_is_an_attribute() -> None:
    holder = with_dict()
    made = vars(holder)
    assert _core.reference_names(holder, made) == [("attribute", "__dict__")]
    assert any(found is holder for found in _core.referrers([made])[0])


def test_naming_makes_no_dictionary() -> None:
    holder = Plain()
    size = _core.Heap(()).size(holder)
    _core.reference_names(holder, T)
    assert _core.Heap(()).size(holder) == size
    assert not any(type(held) is dict for held in gc.get_referents(holder))


def test_an_exception_names_its_fields() -> None:
    error = failure()
    assert _core.reference_names(error, error.args) == [("attribute", "args")]
    trace = error.__traceback__
    assert trace is not None
    assert _core.reference_names(error, trace) == [("attribute", "__traceback__")]
    assert _core.reference_names(trace, trace.tb_frame) == [("attribute", "tb_frame")]


def test_a_descriptor_of_another_type_reads_nothing() -> None:
    # A slot's descriptor put into a class whose instances do not have the slot.
    stray = type("Stray", (), {"p": Slots.__dict__["p"]})
    assert _core.reference_names(stray(), T) == []


def test_at_most_eight_names() -> None:
    assert len(_core.reference_names([T] * 100, T)) == 8


def test_a_deque_is_named_by_its_index() -> None:
    assert edge_names(deque([1, T]), T) == ["[1]"]


WORDS = {
    "mapping proxy": (types.MappingProxyType, {"a": T}, "(mapping)"),
    "list iterator": (iter, [1], "(iterates over)"),
    "tuple iterator": (iter, (1,), "(iterates over)"),
    "reversed list": (reversed, [1], "(iterates over)"),
    "dictionary's keys": (dict.keys, {"a": 1}, "(view of)"),
    "memory": (memoryview, bytearray(b"abc"), "(memory)"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_what_has_no_name_in_code_has_a_word(kind: str) -> None:
    make, target, word = WORDS[kind]
    holder = make(target)
    (held,) = [it for it in gc.get_referents(holder) if type(it) is not type]
    if kind != "memory":
        assert held is target
    assert edge_names(holder, held) == [word]


def test_two_arguments_are_needed() -> None:
    with pytest.raises(TypeError, match="source and a target"):
        _core.reference_names(T)  # type: ignore[call-arg]


def test_names_do_not_leak() -> None:
    holder = {"key": T, (1, 2): T}
    for _ in range(100):
        _core.reference_names(holder, T)
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(1000):
        _core.reference_names(holder, T)
    gc.collect()
    assert abs(sys.getallocatedblocks() - blocks) < 100
