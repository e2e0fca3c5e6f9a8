"""The heap as a graph: who holds an object, what it holds, and why it is alive.

The functions that objgraph has take its arguments, give its results and print its tables
and messages; ``import nbprobe.graphs as objgraph`` is all that has to change. The heap is
looked through in C: no object is made, no code of the objects runs, and no ``__dict__``
comes into being because somebody looked.
"""

from __future__ import annotations

from .asizeof import Asized, Sizes, asized, asizeof, asizesof, flatsize, sizes
from .asizer import Asizer, named_refs, refs
from .chains import find_backref_chain, find_ref_chain, is_proper_module
from .heaps import (
    HeapGraph,
    HeapMark,
    ObjectSet,
    cycles,
    heap,
    hpy,
    leaks,
    load_heap,
    refcount,
    variable_sizes,
)
from .options import PictureOptions
from .references import show_backrefs, show_chain, show_refs
from .result import Bundle, Holder, Node, Reference, ReferenceGraph, Why
from .types import (
    at,
    at_addrs,
    by_type,
    count,
    get_leaking_objects,
    get_new_ids,
    growth,
    most_common_types,
    show_growth,
    show_most_common_types,
    typestats,
)
from .why import why

__all__ = [
    "Asized",
    "Asizer",
    "Bundle",
    "HeapGraph",
    "HeapMark",
    "Holder",
    "Node",
    "ObjectSet",
    "PictureOptions",
    "Reference",
    "ReferenceGraph",
    "Sizes",
    "Why",
    "asized",
    "asizeof",
    "asizesof",
    "at",
    "at_addrs",
    "by_type",
    "count",
    "cycles",
    "find_backref_chain",
    "find_ref_chain",
    "flatsize",
    "get_leaking_objects",
    "get_new_ids",
    "growth",
    "heap",
    "hpy",
    "is_proper_module",
    "leaks",
    "load_heap",
    "most_common_types",
    "named_refs",
    "refcount",
    "refs",
    "show_backrefs",
    "show_chain",
    "show_growth",
    "show_most_common_types",
    "show_refs",
    "sizes",
    "typestats",
    "variable_sizes",
    "why",
]
