"""A module with members from here and from elsewhere."""

from __future__ import annotations

from .workload import Thing as Foreign
from .workload import plain as foreign

__all__ = ["Foreign", "Outer", "foreign", "own"]


def own() -> None:
    pass


class Outer:
    class Inner:
        def deep(self) -> None:
            pass

    def method(self) -> None:
        pass

    borrowed = foreign
    neighbour = own
    Other = Foreign
