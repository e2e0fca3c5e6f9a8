"""Put the timings of several engines beside each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .result import Comparison, Ratio, TimeitResult, independent_ratio

if TYPE_CHECKING:
    from ..live.children import Gathered

__all__ = ["together"]


def together(gathered: Gathered, statement: str, wall_ns: int) -> Comparison:
    """Compare the engines, of which one has measured at least, with the fastest one."""
    results = tuple(
        replace(part, label=process.label, statement=statement)
        for process, part in gathered.results
        if isinstance(part, TimeitResult)
    )
    fastest = min(range(len(results)), key=lambda place: results[place].estimate_ns)
    return Comparison(
        results=results,
        baseline=fastest,
        ratios=tuple(
            independent_ratio(result, results[fastest])
            if place != fastest
            else Ratio(1.0, 1.0, 1.0)
            for place, result in enumerate(results)
        ),
        rounds=0,
        interrupted=any(result.interrupted for result in results),
        processes=gathered.processes,
    )
