"""Results about the heap made by hand, ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable

from nbprobe.graphs.heaps.result import (
    ClassHistory,
    ClassMoment,
    Cluster,
    Collector,
    Cycle,
    Cycles,
    Growth,
    HeapSummary,
    Leaks,
    NewType,
    Pause,
    Refcount,
    Suspect,
    TypeRow,
    Variable,
    Variables,
)
from nbprobe.results import Result

from .gallery import HOSTILE, SCRIPT

MB = 2**20


def summary(scale: int = 1) -> HeapSummary:
    """Make a heap of which one list keeps two thirds."""
    types = (
        TypeRow("list", 100_365 * scale, 10 * MB * scale, 13 * MB * scale),
        TypeRow("__main__.Order", 50_000, 4 * MB, 9 * MB),
        TypeRow("int", 101_713, 3 * MB, 3 * MB),
        TypeRow("str", 19_207, MB + 4711, MB + 4711),
    )
    held = (TypeRow("__main__.Order", 50_000, 4 * MB, 0), TypeRow("int", 9, 252, 0))
    where = "variable of __main__"
    return HeapSummary(
        257_236 * scale,
        sum(row.bytes for row in types),
        768_771,
        (12, 3_400),
        types,
        (
            Suspect("list", 800_056, 12 * MB, "shop.orders[3].rows", where, held),
            Suspect("dict", 36_960, 60_000, "locale.aliases", "module locale", ()),
        ),
        "",
        "3.13.0",
        "2026-11-21T15:32:36+0000",
    )


def growth() -> Growth:
    """Make a growth with a leak among it."""
    return Growth(
        "%growth in cell 7",
        (257_236, 258_301),
        (19 * MB, 20 * MB),
        (1_003, 98_304),
        (
            NewType("__main__.Order", 1_000, 80_000, 1_000),
            NewType("dict", 3, 1_024, -2),
        ),
        (
            Cluster(
                "shop.orders[…]", "variable of __main__", "__main__.Order", 1_000, 1_000,
                80_000, 0,
            ),
        ),
        (214, 31_000),
    )  # fmt: skip


def cycles() -> Cycles:
    """Make some garbage, and a statement with pauses."""
    return Cycles(
        True,
        0,
        0,
        (
            Collector(2_000, 542, 58, 197, 0),
            Collector(10, 0, 5, 3, 0),
            Collector(10, 0, 3, 1, 0),
        ),
        (3, 424),
        (TypeRow("__main__.Node", 1, 320, 0), TypeRow("list", 1, 64, 0)),
        1,
        (
            Cycle(
                2,
                384,
                (TypeRow("__main__.Node", 1, 320, 0),),
                ("__main__.Node.me", "list[0]", "__main__.Node"),
            ),
        ),
        "parse(text)",
        (Pause(0, 21_000, 40), Pause(0, 35_000, 0), Pause(2, 4_100_000, 1_200)),
        81_000_000,
    )


def hostile() -> dict[str, Callable[[], Result]]:
    """Make each kind with hostile names and extreme figures."""
    names = tuple(HOSTILE.values())
    rows = tuple(
        TypeRow(name, 10**30 * (-1) ** place, -1, 10**40)
        for place, name in enumerate(names)
    )
    suspects = tuple(
        Suspect(name, -1, 10**30, name * 9, name, rows[:2]) for name in names
    )
    clusters = tuple(Cluster(name * 9, name, name, -1, 0, 10**30, 5) for name in names)
    everything = "\n".join(names)
    return {
        "heap_hostile": lambda: HeapSummary(
            -1, 0, 0, (1, 0), rows, suspects, SCRIPT, everything, everything
        ),
        "heap_growth_hostile": lambda: Growth(
            everything,
            (0, -1),
            (0, 10**30),
            (0, 0),
            tuple(NewType(name, -1, 10**30, -(10**30)) for name in names),
            clusters,
            (1, -1),
        ),
        "heap_leaks_hostile": lambda: Leaks(everything, (-1, -1), (0, 0), clusters),
        "heap_sizes_hostile": lambda: Variables(
            tuple(
                Variable(name, name, -1, 0, 10**30, ((name, -1),) * 50, -5)
                for name in names
            ),
            names,
        ),
        "heap_cycles_hostile": lambda: Cycles(
            False, 9, 7, (), (0, 0), rows, -4,
            (Cycle(1, 1, rows, names), Cycle(0, 0, (), ())),
            everything, (Pause(-1, -1, -1),), 0,
        ),
        "heap_refcount_hostile": lambda: Refcount(
            SCRIPT, everything, 3, tuple((name, 1) for name in names), ((SCRIPT, -1),), 9
        ),
        "heap_history_hostile": lambda: ClassHistory(
            names, (ClassMoment(everything, -1.0, rows),)
        ),
    }  # fmt: skip


def many() -> HeapSummary:
    """Make a heap with more of everything than a view can hold."""
    types = tuple(TypeRow(f"m.T{i}", i, i * 100, i * 200) for i in range(5_000))
    suspects = tuple(
        Suspect("dict", 1, 10**6, "x" * 10_000, "y" * 10_000, types[:9])
        for _ in range(500)
    )
    return HeapSummary(10**9, 10**12, 10**10, (0, 0), types, suspects, "", "", "")


HEAP: dict[str, Callable[[], Result]] = {
    "heap": summary,
    "heap_diff": lambda: summary(2).diff(summary()),
    "heap_many": many,
    "heap_growth": growth,
    "heap_leaks": lambda: Leaks(
        "handle(request)\nflush()", (53, 52_400), (54, 52_410), growth().clusters
    ),
    "heap_sizes": lambda: Variables(
        (
            Variable("orders", "list", 800_056, 12 * MB, 11 * MB, (("by_id", MB),), 1),
            Variable("by_id", "dict", 36_960, MB, 36_960, (("orders", MB),), 0),
        ),
        (),
    ),
    "heap_cycles": cycles,
    "heap_refcount": lambda: Refcount(
        "__main__.Order",
        "at 0x7f80ae2c09d0",
        4,
        (("shop.orders[3]", 1), ("last", 1)),
        (("order in handle() (shop.py:12)", 1),),
        1,
    ),
    "heap_refcount_immortal": lambda: Refcount("NoneType", "None", None, (), (), 0),
    "heap_history": lambda: ClassHistory(
        ("__main__.Order",),
        tuple(
            ClassMoment(
                f"after batch {index}",
                index * 0.25,
                (TypeRow("__main__.Order", index * 1000, index * 56_000, index * MB),),
            )
            for index in range(4)
        ),
    ),
    **hostile(),
}
