"""Words for objects and references that run none of the objects' code.

A profiler that calls a stranger's ``__repr__`` changes what it looks at, may print, may
take minutes and may crash. So a value is shown only of types whose ``repr`` is known, and
classes are asked for their names past their metaclasses.
"""

from __future__ import annotations

import os
import types
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

from .._core import DeviceMemory, Memory, reference_names, referents
from ..views.names import clean

__all__ = [
    "FRAMES",
    "describe",
    "edge_names",
    "ends",
    "has_finalizer",
    "held_by",
    "long_name",
    "short_name",
    "written",
]

# Where what is suspended has its frame.
FRAMES: dict[type, str] = {
    types.GeneratorType: ".gi_frame",
    types.CoroutineType: ".cr_frame",
    types.AsyncGeneratorType: ".ag_frame",
}

_WIDTH = 40
# A way with more objects is cut to so many at each end.
_LONGEST = 40
_ENDS = 10
_Step = TypeVar("_Step")

_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_module_of: Callable[[type], Any] = type.__dict__["__module__"].__get__

_mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_dict_of: Callable[[type], Any] = type.__dict__["__dict__"].__get__

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: classes that code has made

_COUNTED = (tuple, list, dict, set, frozenset, deque)
_NAMED = (
    types.BuiltinFunctionType,
    types.FunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
)


def short_name(cls: type) -> str:
    """Give the name of a class, without its module."""
    return _name_of(cls)


def long_name(cls: type) -> str:
    """Give the name of a class with its module, as in ``'builtins.list'``."""
    try:
        module = _module_of(cls)
    except AttributeError:
        module = None
    if type(module) is not str:
        # Cython's types leave it to a metaclass that is written in C.
        getter = _dict_of(type(cls)).get("__module__")
        known = type(getter) is types.GetSetDescriptorType
        module = getter.__get__(cls) if known and type(cls) is not type else None
    name = _name_of(cls)
    return f"{module}.{name}" if type(module) is str and module else name


def has_finalizer(cls: type) -> bool:
    """Tell whether a class has a ``__del__``."""
    return any("__del__" in _dict_of(base) for base in _mro_of(cls))


def describe(value: object, ask: bool = False) -> str:
    """Describe an object in at most 40 characters.

    Parameters
    ----------
    value : object
    ask : bool
        Whether to call the ``repr`` of types that are not known to be harmless.
    """
    try:
        return clean(_describe(value, ask))[:_WIDTH]
    except Exception:
        return "(unrepresentable)"


def _describe(value: object, ask: bool) -> str:
    cls = type(value)
    if cls in _PLAIN:
        return _PLAIN[cls](value)
    for base in _COUNTED:
        if issubclass(cls, base):
            return f"{base.__len__(value)} items"  # type: ignore[arg-type]
    if issubclass(cls, type):
        return _name_of(value)  # type: ignore[arg-type]
    if issubclass(cls, types.ModuleType):
        name = types.ModuleType.__getattribute__(value, "__dict__").get("__name__")
        return name if type(name) is str else "module"
    if cls is types.FunctionType and value.__name__ == "<lambda>":  # type: ignore[attr-defined]
        code = value.__code__  # type: ignore[attr-defined]
        place = os.path.basename(code.co_filename)
        return f"lambda: {place}:{code.co_firstlineno}"
    if cls in _NAMED:
        return str(value.__name__)  # type: ignore[attr-defined]
    if cls is types.MethodType:
        return f"{_describe(value.__func__, ask)} (bound)"  # type: ignore[attr-defined]
    if cls is types.FrameType:
        return f"{value.f_code.co_filename}:{value.f_lineno}"  # type: ignore[attr-defined]
    if cls is types.CodeType:
        place = os.path.basename(value.co_filename)  # type: ignore[attr-defined]
        return f"{value.co_name} {place}:{value.co_firstlineno}"  # type: ignore[attr-defined]
    return repr(value) if ask else f"at {id(value):#x}"


def _show_int(value: Any) -> str:
    # The digits of a very large number take seconds, and the interpreter refuses them.
    return repr(value) if value.bit_length() < 1000 else f"{value.bit_length()} bits"


_PLAIN: dict[type, Callable[[Any], str]] = {
    str: lambda value: repr(value[:_WIDTH]),
    bytes: lambda value: repr(value[:_WIDTH]),
    int: _show_int,
    float: repr,
    complex: repr,
    bool: repr,
    Memory: lambda value: f"{value.size:,} bytes at {value.address:#x}",
    DeviceMemory: lambda value: f"{value.size:,} bytes of {value.device}",
    types.NoneType: repr,
    types.EllipsisType: repr,
    types.NotImplementedType: repr,
    range: repr,
}


# A longer text of an object is cut in the middle, and has so many parts at most.
_CLIP = 80
_PARTS = 200
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


def written(value: object) -> str:
    """Write an object as its ``repr`` would, in at most 80 characters.

    Of types whose ``repr`` is not known to be harmless, the type and the address.
    """
    text = clean(_literal(value, [_PARTS], ()))
    half = _CLIP // 2 - 2
    return text if len(text) <= _CLIP else f"{text[:half]}....{text[-half:]}"


def _literal(value: Any, room: list[int], above: tuple[int, ...]) -> str:
    cls = type(value)
    room[0] -= 1
    if cls in (str, bytes, bytearray):
        return repr(value) if len(value) <= _CLIP else repr(value[:_CLIP])
    if cls in _PLAIN:
        return _PLAIN[cls](value)
    if cls not in _BRACKETS:
        return _instance(value)
    left, right = _BRACKETS[cls]
    if cls in (set, frozenset) and not value:
        return f"{cls.__name__}()"
    if room[0] < 0 or id(value) in above or len(above) > _CLIP:
        return f"{left}...{right}"
    # Taken in one step: another thread may change it meanwhile.
    items = list(islice(value.items() if cls is dict else value, _CLIP))
    above += (id(value),)
    shown = [
        f"{_literal(it[0], room, above)}: {_literal(it[1], room, above)}"
        if cls is dict
        else _literal(it, room, above)
        for it in items
    ]
    shown += ["..."] * (len(value) > len(items))
    comma = "," if cls is tuple and len(items) == 1 else ""
    return f"{left}{', '.join(shown)}{comma}{right}"


def _instance(value: object) -> str:
    cls = type(value)
    if issubclass(cls, type):
        return f"<class {long_name(value).removeprefix('builtins.')!r}>"  # type: ignore[arg-type]
    known = describe(value)
    name = long_name(cls).removeprefix("builtins.")
    if known == f"at {id(value):#x}":
        return f"<{name} object {known}>"
    return f"<{name} {known}>"


def held_by(value: object) -> list[Any]:
    """Give what an object holds; the items of lists and tuples in their order."""
    found = referents(value)
    # The collector goes through them from their end.
    return found[::-1] if type(value) in (list, tuple) else found


def edge_names(source: object, target: object) -> list[str]:
    """Give the names by which one object holds another, as they are written in code.

    ``.x`` is an attribute, ``[0]`` an item, ``x`` a variable of a frame, and words in
    parentheses are references that code cannot write.
    """
    return [_written(*name) for name in _names(source, target)]


def _names(source: object, target: object) -> list[tuple[str, Any]]:
    names = reference_names(source, target)
    if not names and type(source) is deque:
        # A copy, made in one step: another thread may change it meanwhile.
        for index, item in enumerate(tuple(source)):
            if item is target:
                return [("index", index)]
    if not names:
        word = _WORDS.get(type(source)) or _word(type(source))
        return [("word", word)] if word else []
    return names


# What objects hold without a name that code could write.
_WORDS = {
    types.MappingProxyType: "mapping",
    memoryview: "memory",
    type({}.keys()): "view of",
    type({}.values()): "view of",
    type({}.items()): "view of",
    enumerate: "iterates over",
    filter: "iterates over",
    map: "iterates over",
    reversed: "iterates over",
    zip: "iterates over",
}


def _word(cls: type) -> str:
    if _module_of(cls) == "builtins" and _name_of(cls) == "managedbuffer":
        return "memory"
    written_in_c = not cls.__flags__ & _HEAP_TYPE
    return (
        "iterates over" if written_in_c and _name_of(cls).endswith("iterator") else ""
    )


def _written(way: str, key: Any) -> str:
    if way == "attribute":
        return f".{clean(key)}"
    if way == "variable":
        return clean(key)
    if way == "index":
        return f"[{key}]"
    if way == "word":
        return f"({key})"
    if way == "value":
        return f"[{describe(key)}]"
    return {"key": "(key)", "member": "(member)"}[way]


def ends(way: Sequence[_Step]) -> tuple[list[_Step], int, list[_Step]]:
    """Cut a way that is too long to be read: a linked list may have a million links.

    Returns
    -------
    list
        Its begin; all of it when it is short.
    int
        How many are left out; 0 for none.
    list
        Its end.
    """
    if len(way) <= _LONGEST:
        return list(way), 0, []
    return list(way[:_ENDS]), len(way) - 2 * _ENDS, list(way[-_ENDS:])
