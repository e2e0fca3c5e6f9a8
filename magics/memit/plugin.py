"""The pytest plugin: limits on what a test may do to memory.

``@pytest.mark.limit_memory("10 MB")``: allocated at once, at the most.
``@pytest.mark.limit_allocations(1000)``: blocks allocated in all.
``@pytest.mark.limit_leaks("1 KB")``: bytes that are still allocated at the end.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest

from .._core import ALLOCATIONS_SITES, Allocations
from ..views import units
from .options import size
from .result import Site
from .sites import FRAMES, Sites
from .view_measure import where

__all__ = ["pytest_configure", "pytest_pyfunc_call"]

_MARKS = {
    "limit_memory": "limit_memory(amount): fail when more than that is allocated at once",
    "limit_allocations": "limit_allocations(number): fail when more blocks are allocated",
    "limit_leaks": "limit_leaks(amount): fail when more is still allocated at the end",
}


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
        arguments = (*mark.args, *mark.kwargs.values())
        if len(arguments) != 1:
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
    counted = Allocations(ALLOCATIONS_SITES, frames=FRAMES)
    gc.collect()
    with counted:
        outcome = yield
        if "limit_leaks" in limits:
            gc.collect()
    figures = {
        "limit_memory": (counted.peak_bytes, "allocated at once"),
        "limit_allocations": (counted.allocations, "blocks allocated"),
        "limit_leaks": (counted.current_bytes, "still allocated at the end"),
    }
    broken = [name for name in limits if figures[name][0] > limits[name]]
    if broken:
        lines = [_complaint(name, *figures[name], limits[name]) for name in broken]
        lines += _worst(Sites.of(counted), leaks=broken == ["limit_leaks"])
        pytest.fail("\n".join(lines), pytrace=False)
    return outcome


def _complaint(name: str, figure: int, what: str, limit: int) -> str:
    if name == "limit_allocations":
        return f"{name}: {figure:,} {what}, the limit is {limit:,}"
    return f"{name}: {units.memory(figure)} {what}, the limit is {units.memory(limit)}"


def _worst(sites: Sites, *, leaks: bool) -> list[str]:
    """Name the lines that took most of it."""

    def cost(site: Site) -> int:
        return site.alive_bytes if leaks else site.peak_bytes

    found = [site for site in sites.sites if cost(site) and site.places]
    lines = []
    for site in sorted(found, key=cost, reverse=True)[:5]:
        places = [sites.places[number] for number in site.places]
        place = next((place for place in places if place.users), places[0])
        lines.append(f"  {units.memory(cost(site))}  {where(place)}  {place.text}")
    return lines


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Measure the test itself; fixtures are not in it."""
    return (yield from _measured(pyfuncitem))
