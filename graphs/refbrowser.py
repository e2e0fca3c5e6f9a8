"""What holds an object, as a tree of text, with pympler.refbrowser's names.

``%why`` and ``show_backrefs`` say more; these are for who calls pympler's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from .._core import referrers
from .labels import describe, long_name

__all__ = ["ConsoleBrowser", "FileBrowser", "Node", "RefBrowser", "StreamBrowser"]


def _show(value: Any) -> str:
    """Give the type of an object and what it is, without running its code."""
    return f"{long_name(type(value)).removeprefix('builtins.')} {describe(value)}"


@dataclass(slots=True)
class Node:
    """An object, as text, and what holds it; texts for what the tree has already."""

    text: str
    children: list[Node | str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text


class RefBrowser:
    """Finds what holds an object, and what holds that.

    Parameters
    ----------
    rootobject : object
    maxdepth : int
        How many references away to look.
    str_func : callable
        Gives the text of an object. By default no code of the objects runs.
    repeat : bool
        Write an object out again where it comes again.
    stream : file, optional
        Where derived classes write.
    """

    def __init__(
        self,
        rootobject: object,
        maxdepth: int = 3,
        str_func: Callable[[Any], str] = _show,
        repeat: bool = True,
        stream: TextIO | None = None,
    ) -> None:
        self.root = rootobject
        self.maxdepth = maxdepth
        self.str_func = str_func
        self.repeat = repeat
        self.stream = stream

    def get_tree(self) -> Node:
        """Give the tree. The heap is looked through once for each level of it."""
        holders: dict[int, list[Any]] = {}
        level = [self.root]
        known = {id(self.root)}
        ours = {id(holders), id(vars(self)), id(self)}
        for _ in range(self.maxdepth):
            following: list[Any] = []
            ours |= {id(level), id(following)}
            for it, found in zip(level, referrers(level), strict=True):
                kept = [other for other in found if id(other) not in ours]
                holders[id(it)] = kept
                # A list of ours that lives on would be found as a holder.
                ours.add(id(kept))
                for other in kept:
                    if id(other) not in known:
                        known.add(id(other))
                        following.append(other)
                found = []
            level = following
        return self._node(self.root, holders, self.maxdepth, set())

    def _node(
        self, it: object, holders: dict[int, list[Any]], depth: int, written: set[int]
    ) -> Node:
        node = Node(self.str_func(it))
        written.add(id(it))
        for other in holders.get(id(it), []) if depth > 0 else []:
            if not self.repeat and id(other) in written:
                node.children.append(
                    f"{self.str_func(other)} (already included, id {id(other)})"
                )
            else:
                node.children.append(self._node(other, holders, depth - 1, written))
        return node


class StreamBrowser(RefBrowser):
    """Writes the tree to `stream`; the lines are those of the class's attributes."""

    hline = "-"
    vline = "|"
    cross = "+"
    space = " "

    def print_tree(self, tree: Node | None = None) -> None:
        """Write a tree, by default that of the object."""
        stream = self.stream or sys.stdout
        for line in self.lines(tree or self.get_tree()):
            stream.write(line + "\n")

    def lines(self, tree: Node | str) -> list[str]:
        """Give a tree as lines of text."""
        children = tree.children if isinstance(tree, Node) else []
        head = str(tree)
        if not children:
            return [head]
        several = len(children) > 1
        fork = self.cross if several else ""
        below = " " * len(head) + self.space
        lines: list[str] = []
        for number, child in enumerate(children):
            last = number == len(children) - 1
            first, *rest = self.lines(child)
            lead = head + self.hline + fork if number == 0 else below + self.cross
            lines.append(lead + self.hline + first)
            side = self.space if last else self.vline
            indent = below + (side if several else "") + self.space
            lines += [(indent + line).rstrip() for line in rest]
        return lines


class ConsoleBrowser(StreamBrowser):
    """Writes the tree to the standard output."""


class FileBrowser(StreamBrowser):
    """Writes the tree to a file."""

    def print_tree(  # type: ignore[override]
        self, filename: str | os.PathLike[str], tree: Node | None = None
    ) -> None:
        """Write a tree to a file, by default that of the object."""
        with open(filename, "w", encoding="utf-8") as self.stream:
            super().print_tree(tree)
        self.stream = None
