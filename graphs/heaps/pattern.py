"""What holds objects, by kind, and what holds that: guppy's reference pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...views import units
from ...views.names import clean, one_line
from .holders import way_to

if TYPE_CHECKING:
    from .sets import ObjectSet

__all__ = ["Pattern"]

_KINDS = 10
_LINES = 100
_ADDRESSES = 3
# What holds these is the program itself.
_STOPS = ("dict of module", "module", "type", "frame", "dict of type")


class Pattern:
    """What holds objects, by kind, as a tree; printed as text.

    Its attributes are the sets that stand in it, by the letters of their lines: ``.a`` is
    the kind that most objects are held by.
    """

    def __init__(self, members: ObjectSet, depth: int) -> None:
        if depth < 0:
            raise ValueError(f"depth must be 0 or more, and is {depth}")
        self.lines: list[str] = []
        self.parts: dict[str, ObjectSet] = {}
        self.seen: list[tuple[str, int]] = []  # kind and members, by line
        self.left_out = 0
        graph = members.graph
        # What only hidden functions hold explains nothing.
        concealed = graph._set(graph.core.unreached_set(True))
        self.shown = graph.all - concealed - graph.garbage
        for part in list(members.by("kind"))[:_KINDS]:
            self._add(part, "_", 0, depth)

    def _add(self, part: ObjectSet, label: str, level: int, depth: int) -> None:
        if len(self.lines) == _LINES:
            self.left_out += 1
            return
        kind = part.by("kind").rows[0].key
        known = [
            number
            for number, (other, bits) in enumerate(self.seen)
            if other == kind and not part.bits & ~bits
        ]
        stop = kind in _STOPS and level > 0
        mark = (
            f"^{known[0]:2d}"
            if known
            else "S"
            if stop
            else "-"
            if level < depth
            else "+"
        )
        self.seen.append((kind, 0 if known else part.bits))
        self.parts.setdefault(label, part)
        dashes = "-" * 3 if level % 2 == 0 else "   "
        head = f"{len(self.lines):2d}: {'  ' * level}{label} {dashes} [{mark}]"
        self.lines.append(f"{head} {part.count} {clean(kind)}: {_members(part)}")
        if mark != "-":
            return
        holders = (part.referrers & self.shown).by("kind")
        order = sorted(range(len(holders)), key=lambda row: -holders.rows[row].count)
        for place, row in enumerate(order[:_KINDS]):
            letter = chr(ord("a") + place)
            self._add(holders[row], _longer(label, letter), level + 1, depth)
        self.left_out += max(len(order) - _KINDS, 0)

    def __getattr__(self, label: str) -> ObjectSet:
        try:
            return self.parts[label]
        except KeyError:
            raise AttributeError(f"the pattern has no line {label!r}") from None

    def __str__(self) -> str:
        lines = ["Reference Pattern by <[dict of] class>.", *self.lines]
        if self.left_out:
            lines.append(f"<{units.plural(self.left_out, 'more kind')}>")
        return units.for_stdout("\n".join(lines))

    __repr__ = __str__


def _longer(label: str, letter: str) -> str:
    return letter if label == "_" else label + letter


def _members(part: ObjectSet) -> str:
    core = part.graph.core
    numbers = core.nodes(part.content, _ADDRESSES)
    if part.count == 1 and part.by("kind").rows[0].key == "dict of module":
        return core.node(core.path(numbers[0])[1][0][0])[3]
    if part.count == 1:
        return one_line(clean(way_to(core, numbers[0]).expression), 60)
    words = ", ".join(f"{core.node(number)[0]:#x}" for number in numbers)
    return words + ("..." if part.count > len(numbers) else "")
