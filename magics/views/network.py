"""Networks: graphs of nodes and edges, drawn by Graphviz in the time that a reader waits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from .. import _core
from .drawing import Picture
from .names import clean, shorten

__all__ = ["Area", "Edge", "Network", "map_name", "network"]

Edge = tuple[int, int, dict[str, str]]

_LARGEST = 100_000  # bytes of SVG, so that an output stays below 200 kB
_NODES = 150
_TOOLTIP = 300
_PIXELS = 4 / 3  # in a point


@dataclass(frozen=True, slots=True)
class Area:
    """Where a node is in the picture, in pixels, and what the mouse is told there."""

    left: int
    top: int
    right: int
    bottom: int
    title: str


@dataclass(frozen=True, slots=True)
class Network:
    """A picture of a graph.

    Attributes
    ----------
    picture : Picture
    areas : tuple of Area
        Of the nodes with a tooltip: for an image map, which works in a trusted notebook
        and is not seen in another.
    name : str
        Of that map.
    nodes : int
        How many were drawn, the first ones.
    edges : int
        How many were drawn.
    """

    picture: Picture
    areas: tuple[Area, ...]
    name: str
    nodes: int
    edges: int


def network(
    nodes: Sequence[Mapping[str, str]],
    edges: Sequence[Edge],
    attributes: Mapping[str, str],
    *,
    alt: str,
) -> Network | None:
    """Draw a graph, or as much of it as there is time and room for.

    Parameters
    ----------
    nodes : sequence of mapping of str to str
        Attributes of each node, the most important first, as `_core.draw` takes them.
        Text is cleaned; ``tooltip`` is what the mouse is told over the node.
    edges : sequence of tuple of (int, int, dict of str to str)
        From which node, to which, and attributes; the most important first.
    attributes : mapping of str to str
        Of the graph.
    alt : str
        What the whole says in words.

    Returns
    -------
    Network or None
        None when Graphviz does not work here: show the text instead.
    """
    count = min(len(nodes), _NODES)
    while True:
        chosen = [_without_tooltip(node) for node in nodes[:count]]
        among = [edge for edge in edges if edge[0] < count and edge[1] < count]
        try:
            svg, boxes, drawn = _core.draw(chosen, among, dict(attributes))
        except RuntimeError:
            return None
        if len(svg) <= _LARGEST or count <= 10:
            break
        count = max(10, min(len(boxes) * 3 // 4, len(boxes) * _LARGEST // len(svg)))
    return _network(svg, boxes, drawn, nodes, alt)


def map_name(svg: str, areas: Sequence[Area]) -> str:
    """Name a picture's map, the same for the same picture with the same tooltips.

    A page takes the first map of a name for all pictures that use it.
    """
    titles = "\n".join(area.title for area in areas)
    return f"nbprobe-{crc32(f'{svg}{titles}'.encode('utf-8', 'replace')):08x}"


def _without_tooltip(node: Mapping[str, str]) -> dict[str, str]:
    return {name: clean(value) for name, value in node.items() if name != "tooltip"}


def _network(
    svg: str,
    boxes: Sequence[tuple[float, float, float, float]],
    edges: int,
    nodes: Sequence[Mapping[str, str]],
    alt: str,
) -> Network:
    size = re.search(r'width="(\d+)pt" height="(\d+)pt"', svg)
    width, height = (int(size[1]), int(size[2])) if size else (300, 150)
    areas = tuple(
        _area(box, node["tooltip"])
        for box, node in zip(boxes, nodes, strict=False)
        if node.get("tooltip")
    )
    return Network(
        Picture(svg, clean(alt), round(_PIXELS * width), round(_PIXELS * height)),
        areas,
        map_name(svg, areas),
        len(boxes),
        edges,
    )


def _area(box: tuple[float, float, float, float], tooltip: str) -> Area:
    left, top, right, bottom = (round(_PIXELS * side) for side in box)
    return Area(left, top, right, bottom, shorten(clean(tooltip), _TOOLTIP))
