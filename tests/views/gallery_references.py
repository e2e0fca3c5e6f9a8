"""Pictures of references made by hand, ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbprobe.graphs.result import Bundle, Node, Reference, ReferenceGraph
from nbprobe.results import Result

from .gallery import HOSTILE


def node(kind: str, value: str, depth: int, **changes: Any) -> Node:
    """Make an object of a picture, with some fields changed."""
    fields: dict[str, Any] = {
        "address": 0x7F0000000000 + 64 * depth,
        "type": kind,
        "value": value,
        "info": "",
        "depth": depth,
        "module": False,
        "highlighted": False,
        "finalizer": False,
        "refcount": None,
        "bundles": (),
        "size": None,
        "retained": None,
        "running": False,
        "attributes": {},
    }
    return Node(**(fields | changes))


def held(**changes: Any) -> ReferenceGraph:
    """Make the picture of what a tree holds."""
    fields: dict[str, Any] = {
        "backwards": False,
        "max_depth": 2,
        "across": False,
        "nodes": (
            node("Tree", "at 0x7f0000000000", 0, size=104, retained=40_960),
            node(
                "list",
                "214 items",
                1,
                size=1_848,
                retained=40_800,
                bundles=(
                    Bundle(212, "Node", ".children[...]"),
                    Bundle(1, "NoneType", ".children[...]"),
                ),
            ),
            node("str", "'root'", 1, size=45, retained=45, highlighted=True),
            node("Node", "at 0x7f0000000080", 2, size=56, retained=184, finalizer=True),
        ),
        "references": (
            Reference(0, 1, (".children",)),
            Reference(0, 2, (".name", ".title")),
            Reference(1, 3, ("[0]",)),
        ),
    }
    return ReferenceGraph(**(fields | changes))


def holders() -> ReferenceGraph:
    """Make the picture of what holds an object."""
    return ReferenceGraph(
        True,
        4,
        True,
        (
            node("DataFrame", "at 0x7f0000000000", 0, refcount=3),
            node("dict", "31 items", 1, bundles=(Bundle(7, "cell", ""),)),
            node("running function", "train() train.py:12", 1, running=True),
            node("module", "__main__", 2, module=True, refcount=12),
        ),
        (
            Reference(1, 0, ("['frame']",), True),
            Reference(2, 0, ("frame", "x")),
            Reference(3, 1, (".__dict__",), True),
        ),
    )


def hostile() -> ReferenceGraph:
    """Make a picture of which every word is a trap."""
    words = list(HOSTILE.values())
    nodes = tuple(
        node(
            word,
            word,
            min(number, 1),
            info=word,
            bundles=(Bundle(10**9, word, word),),
            attributes={
                "URL": "javascript:alert(1)",
                "shape": "record",
                word[:9]: word,
            },
        )
        for number, word in enumerate(words)
    )
    references = tuple(
        Reference(number, 0, (word,)) for number, word in enumerate(words)
    )
    return ReferenceGraph(True, 1, False, nodes, references)


REFERENCES: dict[str, Callable[[], Result]] = {
    "references": held,
    "references_nothing": lambda: held(nodes=held().nodes[:1], references=()),
    "references_holders": holders,
    "references_hostile": hostile,
}
