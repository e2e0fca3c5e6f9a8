"""The pytest plugin: limits on what a test may do to memory.

``@pytest.mark.limit_memory("10 MB")``: allocated at once, at the most.
``@pytest.mark.limit_leaks("1 KB")``: bytes that are still allocated at the end.
``@pytest.mark.limit_allocations(1000)``: blocks that Python's allocators give in all.

What libraries allocate by themselves is memory too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest

from .._core import ALLOCATIONS_SITES, Allocations
from ..views import units
from .options import size
from .result import Site
from .sites import FRAMES, Sites
from .view_measure import where

__all__ = ["Stack", "StackFrame", "pytest_configure", "pytest_pyfunc_call"]

_MARKS = {
    "limit_memory": "limit_memory(amount): fail when more than that is allocated at once",
    "limit_allocations": "limit_allocations(number): fail when more blocks are allocated",
    "limit_leaks": "limit_leaks(amount, filter_fn=None): fail when more is still allocated"
    " at the end, by the places that filter_fn(Stack) lets pass",
}

# The limits by pytest-memray's names too.
_NAMES = ("memory_limit", "location_limit")


class StackFrame(NamedTuple):
    """A function and the line that it was on."""

    function: str
    filename: str
    lineno: int


class Stack(NamedTuple):
    """Where memory was allocated: the innermost frame first."""

    frames: tuple[StackFrame, ...]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for text in _MARKS.values():
        config.addinivalue_line("markers", text)


def _limits(item: pytest.Function) -> dict[str, int]:
    """Read the marks of a test; one that says nothing sensible is an error of the test."""
    limits = {}
    for name in _MARKS:
        mark = item.get_closest_marker(name)
        if mark is None:
            continue
        options = dict(mark.kwargs)
        if options.pop("current_thread_only", False):
            raise ValueError(
                f"{name} counts every thread: leave out current_thread_only"
            )
        if name == "limit_leaks":
            options.pop("filter_fn", None)
        named = [options.pop(other) for other in _NAMES if other in options]
        arguments = (*mark.args, *named)
        if len(arguments) != 1 or options:
            raise ValueError(f"{name} takes one limit")
        (limit,) = arguments
        if type(limit) is int and limit >= 0:
            limits[name] = limit
        elif isinstance(limit, str) and name != "limit_allocations":
            try:
                limits[name] = size(limit)
            except ValueError as error:
                raise ValueError(f"{name} takes {error}, not {limit!r}") from None
        else:
            raise ValueError(f"{name} takes a whole number from 0, not {limit!r}")
    return limits


def _measured(item: pytest.Function) -> Generator[None, Any, Any]:
    limits = _limits(item)
    if not limits:
        return (yield)
    native = limits.keys() != {"limit_allocations"}
    counted = Allocations(ALLOCATIONS_SITES, frames=FRAMES, native=native)
    gc.collect()
    with counted:
        outcome = yield
        if "limit_leaks" in limits:
            gc.collect()
    leaks = item.get_closest_marker("limit_leaks")
    wanted = leaks.kwargs.get("filter_fn") if leaks else None
    blocks = counted.allocations - counted.native_allocations
    figures = {
        "limit_memory": (counted.peak_bytes, "allocated at once"),
        "limit_allocations": (blocks, "blocks allocated"),
        "limit_leaks": (_left(counted, wanted), "still allocated at the end"),
    }
    broken = [name for name in limits if figures[name][0] > limits[name]]
    if broken:
        lines = [_complaint(name, *figures[name], limits[name]) for name in broken]
        lines += _worst(Sites.of(counted), leaks=broken == ["limit_leaks"])
        pytest.fail("\n".join(lines), pytrace=False)
    return outcome


def _left(counted: Allocations, wanted: Callable[[Stack], bool] | None) -> int:
    """Give the bytes that are still allocated in the places that are wanted."""
    if wanted is None:
        return counted.current_bytes
    sites = Sites.of(counted)
    return sum(
        site.alive_bytes
        for site in sites.sites
        if site.alive_bytes and wanted(_stack(sites, site))
    )


def _stack(sites: Sites, site: Site) -> Stack:
    places = (sites.places[number] for number in site.places)
    return Stack(
        tuple(
            StackFrame(it.function.rpartition(".")[2], it.file, it.line)
            for it in places
        )
    )


def _complaint(name: str, figure: int, what: str, limit: int) -> str:
    if name == "limit_allocations":
        return f"{name}: {figure:,} {what}, the limit is {limit:,}"
    return f"{name}: {units.memory(figure)} {what}, the limit is {units.memory(limit)}"


def _worst(sites: Sites, *, leaks: bool) -> list[str]:
    """Name the lines that took most of it."""

    def cost(site: Site) -> int:
        return site.alive_bytes if leaks else site.peak_bytes

    lines = []
    for site in sorted(filter(cost, sites.sites), key=cost, reverse=True)[:5]:
        places = [sites.places[number] for number in site.places]
        named = "libraries outside of the GIL"
        if places:
            place = next((place for place in places if place.users), places[0])
            named = f"{where(place)}  {place.text}"
        lines.append(f"  {units.memory(cost(site))}  {named}")
    return lines


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Measure the test itself; fixtures are not in it."""
    return (yield from _measured(pyfuncitem))
