"""Objects by type: objgraph's counts, tables and look-ups, counted in C.

Names, arguments, results and printed tables are those of objgraph 3.7. Objects are those
that the garbage collector tracks, as there.
"""

from __future__ import annotations

import collections
import gc
import operator
import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any, TextIO

from .._core import count_types, referents
from .labels import long_name, short_name

__all__ = [
    "at",
    "at_addrs",
    "by_type",
    "count",
    "get_leaking_objects",
    "get_new_ids",
    "growth",
    "most_common_types",
    "show_growth",
    "show_most_common_types",
    "typestats",
]

Filter = Callable[[Any], Any]


def count(typename: str, objects: Iterable[object] | None = None) -> int:
    """Count the objects of a type, by its name with or without its module.

    Parameters
    ----------
    typename : str
        ``'list'`` or ``'collections.OrderedDict'``.
    objects : iterable, optional
        What to count among; all tracked objects by default.

    Examples
    --------
    >>> count("dict") > 0
    True
    """
    name = long_name if "." in typename else short_name
    return sum(
        number for cls, number in _numbers(objects, None) if name(cls) == typename
    )


def _numbers(
    objects: Iterable[object] | None, filter: Filter | None
) -> Iterable[tuple[type, int]]:
    if objects is None and filter is None:
        return count_types()
    if objects is None:
        objects = gc.get_objects()
    if filter is not None:
        objects = (it for it in objects if filter(it))
    return collections.Counter(map(type, objects)).items()


def typestats(
    objects: Iterable[object] | None = None,
    shortnames: bool = True,
    filter: Filter | None = None,
) -> dict[str, int]:
    """Count objects by the name of their type.

    Parameters
    ----------
    objects : iterable, optional
        What to count; all tracked objects by default.
    shortnames : bool
        Names without modules; types of one name are counted together.
    filter : callable, optional
        Objects for which it gives something false are left out.
    """
    name = short_name if shortnames else long_name
    stats: dict[str, int] = {}
    for cls, number in _numbers(objects, filter):
        stats[name(cls)] = stats.get(name(cls), 0) + number
    return stats


def most_common_types(
    limit: int | None = 10,
    objects: Iterable[object] | None = None,
    shortnames: bool = True,
    filter: Filter | None = None,
) -> list[tuple[str, int]]:
    """Give the names of the types with the most objects, the most frequent first."""
    stats = typestats(objects, shortnames=shortnames, filter=filter)
    rows = sorted(stats.items(), key=operator.itemgetter(1), reverse=True)
    return rows[:limit] if limit else rows


def show_most_common_types(
    limit: int | None = 10,
    objects: Iterable[object] | None = None,
    shortnames: bool = True,
    file: TextIO | None = None,
    filter: Filter | None = None,
) -> None:
    """Print a table of the types with the most objects."""
    rows = most_common_types(limit, objects, shortnames=shortnames, filter=filter)
    width = max((len(name) for name, _ in rows), default=0)
    for name, number in rows:
        (file or sys.stdout).write(f"{name:<{width}} {number}\n")


_PEAKS: dict[str, int] = {}


def growth(
    limit: int | None = 10,
    peak_stats: dict[str, int] | None = None,
    shortnames: bool = True,
    filter: Filter | None = None,
    *,
    collect: bool = True,
) -> list[tuple[str, int, int]]:
    """Give the types of which there are more objects than ever before.

    Parameters
    ----------
    limit : int or None
        How many types, those that grew most; None for all.
    peak_stats : dict of str to int, optional
        The peaks so far, brought up to date; shared by all calls by default.
    shortnames, filter
        As for `typestats`.
    collect : bool
        Collect garbage first, as objgraph does. False leaves the heap as it is and
        counts garbage that waits.

    Returns
    -------
    list of tuple of (str, int, int)
        Name, number now, and by how much that is above the peak.
    """
    peaks = _PEAKS if peak_stats is None else peak_stats
    if collect:
        gc.collect()
    stats = typestats(shortnames=shortnames, filter=filter)
    deltas = {
        name: number - peaks.get(name, 0)
        for name, number in stats.items()
        if number > peaks.get(name, 0)
    }
    peaks.update((name, stats[name]) for name in deltas)
    rows = sorted(deltas.items(), key=operator.itemgetter(1), reverse=True)
    return [(name, stats[name], delta) for name, delta in rows[: limit or None]]


def show_growth(
    limit: int | None = 10,
    peak_stats: dict[str, int] | None = None,
    shortnames: bool = True,
    file: TextIO | None = None,
    filter: Filter | None = None,
    *,
    collect: bool = True,
) -> None:
    """Print a table of the types that `growth` gives."""
    rows = growth(limit, peak_stats, shortnames, filter, collect=collect)
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, number, delta in rows:
        (file or sys.stdout).write(f"{name:<{width}}{number:9d} {delta:+9d}\n")


_NEW_IDS: dict[str, Any] = {}


def get_new_ids(
    skip_update: bool = False,
    limit: int | None = 10,
    sortby: str = "deltas",
    shortnames: bool | None = None,
    file: TextIO | None = None,
    _state: dict[str, Any] = _NEW_IDS,
) -> dict[str, set[int]]:
    """Print which types have new objects since the last call, and give their ids.

    Parameters
    ----------
    skip_update : bool
        Give the answer of the last call again.
    limit : int or None
        Rows to print: None for all, 0 for nothing.
    sortby : {'deltas', 'old', 'current', 'new'}
    shortnames : bool, optional
        As for `typestats`; what it was in the last call by default.
    file : file, optional
        Where to print; standard output by default.

    Returns
    -------
    dict of str to set of int
        Ids, not objects: an object made where a dead one was is not seen as new.
    """
    if not _state:
        for name in ("old", "current", "new"):
            _state[name] = collections.defaultdict(set)
        _state["shortnames"] = True
    new: dict[str, set[int]] = _state["new"]
    if skip_update:
        return new
    if shortnames is None:
        shortnames = _state["shortnames"]
    _state["shortnames"] = shortnames
    gc.collect()
    _take_ids(_state, bool(shortnames))
    rows = _id_rows(_state)
    place = {"old": 1, "current": 2, "new": 3, "deltas": 4}[sortby]
    rows.sort(key=operator.itemgetter(place, 0), reverse=True)
    if limit is not None:
        rows = rows[:limit]
    if rows:
        _print_ids(rows, file or sys.stdout)
    return new


def _take_ids(state: dict[str, Any], shortnames: bool) -> None:
    name = short_name if shortnames else long_name
    current = collections.defaultdict(set)
    for it in gc.get_objects():
        current[name(type(it))].add(id(it))
    # In place: callers may keep the mappings that earlier calls gave them.
    for old_name in list(state["old"]):
        state["old"][old_name] = set()
    state["old"].update(state["current"])
    state["current"] = current


def _id_rows(state: dict[str, Any]) -> list[tuple[str, int, int, int, int]]:
    old, current, new = state["old"], state["current"], state["new"]
    new.clear()
    rows = []
    for name in sorted(old.keys() | current.keys()):
        before, now = old.get(name, set()), current.get(name, set())
        if not before and not now:
            continue
        new[name] = now - before
        rows.append(
            (name, len(before), len(now), len(new[name]), len(now) - len(before))
        )
    return rows


def _print_ids(rows: list[tuple[str, int, int, int, int]], file: TextIO) -> None:
    width = max(len(row[0]) for row in rows)
    rule = "=" * (width + 13 * 4)
    print(rule, file=file)
    titles = ("Old_ids", "Current_ids", "New_ids", "Count_Deltas")
    print(f"{'Type':<{width}}" + "".join(f"{title:>13}" for title in titles), file=file)
    print(rule, file=file)
    for name, old, now, new, delta in rows:
        print(f"{name:<{width}}{old:13d}{now:13d}{new:+13d}{delta:+13d}", file=file)
    print(rule, file=file)


def get_leaking_objects(objects: Iterable[object] | None = None) -> list[Any]:
    """Give the objects that no tracked object refers to.

    They are alive all the same, so something outside of the heap holds them: a running
    function, C code, or a reference that C code forgot to give up.
    """
    gc.collect()
    everything = gc.get_objects()
    among = everything if objects is None else list(objects)
    ids = {id(it) for it in among}
    for it in everything:
        if it is not among and it is not objects:
            ids.difference_update(map(id, referents(it)))
    return [it for it in among if id(it) in ids]


def by_type(typename: str, objects: Iterable[object] | None = None) -> list[Any]:
    """Give the tracked objects of a type, by its name with or without its module."""
    name = long_name if "." in typename else short_name
    if objects is None:
        objects = gc.get_objects()
    wanted: dict[type, bool] = {}
    found = []
    for it in objects:
        cls = type(it)
        if cls not in wanted:
            wanted[cls] = name(cls) == typename
        if wanted[cls]:
            found.append(it)
    return found


def at(addr: int) -> Any:
    """Give the tracked object at an address, or None: the reverse of ``id``."""
    for it in gc.get_objects():
        if id(it) == addr:
            return it
    return None


def at_addrs(address_set: Collection[int]) -> list[Any]:
    """Give the tracked objects at some addresses, in no order."""
    return [it for it in gc.get_objects() if id(it) in address_set]
