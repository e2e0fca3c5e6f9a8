"""The whole heap: by type and by what alone keeps it alive, sets of objects, growth."""

from __future__ import annotations

from .garbage import cycles
from .graph import HeapGraph, HeapMark, heap, load_heap
from .growth import leaks
from .guppy import Hpy, hpy
from .partitions import Partition
from .refcount import refcount
from .result import (
    ClassHistory,
    Cycles,
    Growth,
    HeapDiff,
    HeapSummary,
    Leaks,
    Refcount,
    Variables,
)
from .sets import ObjectSet
from .variables import variable_sizes

__all__ = [
    "ClassHistory",
    "Cycles",
    "Growth",
    "HeapDiff",
    "HeapGraph",
    "HeapMark",
    "HeapSummary",
    "Hpy",
    "Leaks",
    "ObjectSet",
    "Partition",
    "Refcount",
    "Variables",
    "cycles",
    "heap",
    "hpy",
    "leaks",
    "load_heap",
    "refcount",
    "variable_sizes",
]
