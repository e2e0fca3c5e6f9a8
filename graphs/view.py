"""How references are shown: as a tree of text, as a picture, as DOT text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import _core
from ..results import Result
from ..views import units
from ..views.colours import GREY, ORANGE
from ..views.names import clean, shorten
from ..views.network import Edge, Network, network
from .result import Bundle, Holder, Node, ReferenceGraph, Why

__all__ = ["dot", "headline", "html", "svg", "text"]

_LINES = 200


def headline(result: Result) -> str:
    """Give a result in one line."""
    return _views(result)[0](result)


def text(result: Result) -> str:
    """Give a result as text that is complete without the HTML, without a final newline."""
    return _views(result)[1](result)


def html(result: Result) -> str:
    """Give a result as HTML that an untrusted notebook shows whole."""
    return _views(result)[2](result)


def _views(result: Result) -> tuple[Callable[[Any], str], ...]:
    views: dict[type[Result], tuple[Callable[[Any], str], ...]] = {
        ReferenceGraph: (_graph_line, _graph_text, _graph_html),
        Why: (_why_line, _why_text, _why_html),
    }
    if type(result) not in views:
        from .heaps.view import VIEWS

        view = VIEWS[type(result)]
        return view.line, view.text, view.html
    return views[type(result)]


# References


def _graph_line(graph: ReferenceGraph) -> str:
    asked = sum(node.depth == 0 for node in graph.nodes)
    others = units.plural(len(graph.nodes) - asked, "object")
    what = "hold" if graph.backwards else "are held by"
    them = "it" if asked == 1 else f"the {asked}"
    if len(graph.nodes) - asked == 1:
        what = "holds" if graph.backwards else "is held by"
    reach = units.plural(graph.max_depth, "reference")
    return f"{others} {what} {them} within {reach}"


def _title(node: Node) -> str:
    title = node.type
    if node.refcount is not None:
        title += f" [{node.refcount}]"
    return clean(title)


def _size(node: Node) -> str:
    """Give the bytes of an object, and of what goes with it, in words."""
    if node.size is None or node.retained is None:
        return ""
    size = units.memory(node.size)
    if node.retained <= node.size:
        return size
    return f"{size}, with it {units.memory(node.retained)}"


def _words(node: Node) -> str:
    words = [_title(node), clean(node.value), _size(node), clean(node.info)]
    return _line("  ".join(filter(None, words)))


def _line(words: str) -> str:
    """Give words of strangers as a part of one line."""
    return clean(words).replace("\n", " ").replace("\t", " ")


def _graph_text(graph: ReferenceGraph) -> str:
    lines = list(_tree(graph))
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"and {len(lines) - _LINES:,} more lines"]
    return "\n".join(lines)


def _tree(graph: ReferenceGraph) -> Iterator[str]:
    """Give the graph as a tree: each object is followed once, where it is nearest."""
    near: dict[int, list[tuple[int, str]]] = {}
    for reference in graph.references:
        here, there = reference.held, reference.holder
        if not graph.backwards:
            here, there = there, here
        near.setdefault(here, []).append((there, ", ".join(reference.names)))
    followed: set[int] = set()
    starts = [number for number, node in enumerate(graph.nodes) if node.depth == 0]
    # By hand: a chain may be deeper than Python's own stack.
    todo = [(number, "", "", "") for number in reversed(starts)]
    while todo:
        number, name, lead, indent = todo.pop()
        again = number in followed
        node = graph.nodes[number]
        yield f"{lead}{_through(name, graph.backwards)}{_words(node)}" + (
            "  (see above)" if again and near.get(number) else ""
        )
        if again:
            continue
        followed.add(number)
        branches: list[tuple[int, str]] = near.get(number, [])
        if node.bundles:
            # Stands before what the branches print, because they are still to come.
            kinds = "; ".join(map(_bundle, node.bundles))
            yield f"{indent}├─ {_left_out(node.left_out, graph.backwards)}: {kinds}"
        for place, (other, name) in enumerate(reversed(branches)):
            last = place == 0
            todo.append(
                (
                    other,
                    name,
                    indent + ("└─ " if last else "├─ "),
                    indent + ("   " if last else "│  "),
                )
            )


def _through(name: str, backwards: bool) -> str:
    if not name:
        return ""
    name = _line(name)
    return f"{name} of " if backwards else f"{name}: "


def _left_out(number: int, backwards: bool) -> str:
    return f"{number} more {'backreferences' if backwards else 'references'}"


def _bundle(bundle: Bundle) -> str:
    name = f" by {bundle.name}" if bundle.name else ""
    return _line(f"{bundle.count:,} {bundle.type}{name}")


def _graph_html(graph: ReferenceGraph) -> str:
    from ..views.html import render

    nodes, edges = _boxes(graph)
    drawn = network(nodes, edges, _canvas(graph), alt=_graph_line(graph))
    return render(
        "graphs/references.html.j2",
        picture=drawn,
        headline=_graph_line(graph),
        missing=_missing(graph, drawn),
        tree=_graph_text(graph),
    )


def _missing(graph: ReferenceGraph, drawn: Network | None) -> str:
    """Say what the picture lacks."""
    if drawn is None:
        return "no picture: Graphviz does not work here; the text says the same"
    bundles = [len(node.bundles) for node in graph.nodes]
    boxes, arrows = len(bundles) + sum(bundles), len(graph.references) + sum(bundles)
    parts = []
    if drawn.nodes < boxes:
        parts.append(units.plural(boxes - drawn.nodes, "object"))
    if drawn.edges < arrows:
        parts.append(units.plural(arrows - drawn.edges, "reference"))
    return f"not drawn: {' and '.join(parts)}" if parts else ""


def svg(graph: ReferenceGraph) -> str:
    """Draw the graph, cut to what can be laid out, as an ``<svg>`` element."""
    nodes, edges = _boxes(graph)
    return _core.draw(nodes, edges, _canvas(graph))[0]


def _boxes(graph: ReferenceGraph) -> tuple[list[dict[str, str]], list[Edge]]:
    """Give boxes and arrows: the nearest objects first, each with its bundles."""
    boxes: list[dict[str, str]] = []
    places: dict[int, int] = {}
    edges: list[Edge] = []
    for number, node in enumerate(graph.nodes):
        places[number] = len(boxes)
        boxes.append(_box(node, graph.max_depth))
        for bundle in node.bundles:
            pair = places[number], len(boxes)
            edges.append((*(pair[::-1] if graph.backwards else pair), dict(_DOTTED)))
            boxes.append(_bundle_box(bundle))
    edges += [
        (places[it.holder], places[it.held], _arrow(", ".join(it.names), it.on_path))
        for it in graph.references
    ]
    return boxes, edges


_FONT = "Helvetica"


def _canvas(graph: ReferenceGraph) -> dict[str, str]:
    direction = "LR" if graph.across else "TB"
    return {"bgcolor": "transparent", "nodesep": "0.2", "rankdir": direction}


def _box(node: Node, max_depth: int) -> dict[str, str]:
    hue, saturation, value = _colour(node, max_depth)
    label = [_title(node), clean(node.value)]
    label += filter(None, [_size(node), clean(node.info)])
    box = {
        "label": "\n".join(shorten(line, 60) for line in label),
        "shape": "box",
        "style": "filled,rounded",
        "fontname": _FONT,
        "fontsize": "11",
        # Browsers may have a wider font than the one that was measured with.
        "margin": "0.18,0.06",
        "color": GREY,
        "fillcolor": f"{hue:g},{saturation:g},{value:g}",
        "fontcolor": "white" if value < 0.5 else "black",
        "tooltip": _words(node),
    }
    if node.depth == 0:
        box["fontcolor"] = "#c00000"
        box["penwidth"] = "2"
    if node.running:
        box |= {"shape": "component", "style": "filled", "fillcolor": "#ffe9c9"}
        box["fontcolor"] = "black"
    if node.finalizer:
        box["color"] = "#d44955"
        box["peripheries"] = "2"
    return box | node.attributes


def _colour(node: Node, max_depth: int) -> tuple[float, float, float]:
    """Give hue, saturation and value: lighter for nearer, green for modules."""
    value = 1 - 0.7 * node.depth / max(max_depth, 1)
    hue, saturation = (0.3, 1.0) if node.module else (0.0, 0.0)
    if node.highlighted:
        hue, saturation, value = 0.6, 0.6, 0.5 + value * 0.5
    return hue, saturation, value


_DOTTED = {"color": GREY, "style": "dotted", "arrowsize": "0.7"}


def _arrow(name: str, on_path: bool) -> dict[str, str]:
    colour = ORANGE if on_path else GREY
    arrow = {"color": colour, "arrowsize": "0.7"}
    if on_path:
        arrow["penwidth"] = "2.2"
    if name:
        arrow |= {
            "label": f" {shorten(name, 40)} ",
            "fontname": _FONT,
            "fontsize": "10",
            "fontcolor": colour,
        }
    return arrow


def _bundle_box(bundle: Bundle) -> dict[str, str]:
    name = f"\nby {bundle.name}" if bundle.name else ""
    return {
        "label": shorten(clean(f"{bundle.count:,} more {bundle.type}{name}"), 60),
        "shape": "box",
        "style": "filled,dashed,rounded",
        "color": "#d44955",
        "fillcolor": "#fbe3e5",
        "fontcolor": "black",
        "fontname": _FONT,
        "fontsize": "10",
        "margin": "0.12,0.04",
        "tooltip": f"{_bundle(bundle)}: not shown one by one",
    }


def dot(graph: ReferenceGraph) -> str:
    """Give the whole graph as DOT text, in objgraph's form."""
    lines = [
        "digraph ObjectGraph {",
        "  node[shape=box, style=filled, fillcolor=white];",
    ]
    for node in graph.nodes:
        lines += _dot_node(node, graph)
    for reference in graph.references:
        pair = [
            f"o{graph.nodes[end].address}" for end in (reference.holder, reference.held)
        ]
        name = ", ".join(reference.names)
        label = f' [label="{_quoted(name)}"]' if name else ""
        lines.append(f"  {pair[0]} -> {pair[1]}{label};")
    return "\n".join([*lines, "}", ""])


def _dot_node(node: Node, graph: ReferenceGraph) -> Iterator[str]:
    name = f"o{node.address}"
    words = [_title(node), node.value, *([node.info] if node.info else [])]
    extra = "".join(
        f', {key}="{_quoted(value)}"' for key, value in node.attributes.items()
    )
    if node.depth == 0:
        yield f"  {name}[fontcolor=red];"
    label = _quoted("\n".join(words))
    yield f'  {name}[label="{label}"{extra}];'
    hue, saturation, value = _colour(node, graph.max_depth)
    yield f'  {name}[fillcolor="{hue:g},{saturation:g},{value:g}"];'
    if value < 0.5:
        yield f"  {name}[fontcolor=white];"
    if node.finalizer:
        yield f"  {name}->{name}_has_a_del[color=red,style=dotted,len=0.25,weight=10];"
        yield (
            f'  {name}_has_a_del[label="__del__",shape=doublecircle,height=0.25,'
            'color=red,fillcolor="0,.5,1",fontsize=6];'
        )
    if node.left_out:
        pair = f"{name}->too_many_{name}"
        if graph.backwards:
            pair = f"too_many_{name}->{name}"
        yield f"  {pair}[color=red,style=dotted,len=0.25,weight=10];"
        yield (
            f'  too_many_{name}[label="{_left_out(node.left_out, graph.backwards)}",'
            "shape=box,height=0.25,color=red,fillcolor=red,fontsize=6,fontcolor=white];"
        )


def _quoted(words: str) -> str:
    words = clean(words).replace("\\", "\\\\").replace('"', '\\"')
    return words.replace("\n", "\\n")


# Why


def _why_line(why: Why) -> str:
    what = clean(f"{why.type} {why.value}")
    if not why.holders:
        return f"{what} is held by nothing that can be found"
    if not why.total:
        return f"{what} is garbage: nothing leads to it"
    count = units.plural(why.total, "object")
    return f"{what} is held by {count}"


def _why_text(why: Why) -> str:
    lines = [_why_line(why)]
    for holder in why.holders:
        lines.append("")
        lines.append(f"  {clean(holder.expression)}   {clean(holder.place)}")
        lines += [f"      {clean(step)}" for step in holder.steps]
        if holder.advice:
            advice = clean(holder.advice).replace("\n", "\n" + " " * 17)
            lines.append(f"      to let go: {advice}")
    if more := _more(why):
        lines += ["", more]
    return "\n".join(lines)


def _more(why: Why) -> str:
    return f"and {why.left_out:,} more" if why.left_out else ""


def _why_html(why: Why) -> str:
    from ..views.html import render

    return render(
        "graphs/why.html.j2",
        headline=_why_line(why),
        holders=[_Shown(holder) for holder in why.holders],
        more=_more(why),
    )


class _Shown:
    """A holder as its template writes it."""

    def __init__(self, holder: Holder) -> None:
        self.expression = holder.expression
        self.place = holder.place
        self.advice = holder.advice
        self.steps = "\n".join(clean(step) for step in holder.steps)
