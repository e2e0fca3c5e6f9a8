"""Pictures of references, with objgraph's arguments and messages."""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import sys
import types
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

from .._core import Heap, Memory
from .chains import is_proper_module
from .exploring import OURS, Found, StandIn, explore
from .labels import describe, edge_names, has_finalizer, long_name, short_name
from .lent import take
from .options import PictureOptions
from .result import Node, Reference, ReferenceGraph

__all__ = ["picture", "show_backrefs", "show_chain", "show_refs"]

# From 3.12 on an immortal object's count is a constant at least as large.
_IMMORTAL = 2**30

_Options = ParamSpec("_Options")


def _shows(
    options: Callable[_Options, PictureOptions], backwards: bool, name: str, doc: str
) -> Callable[Concatenate[Any, _Options], ReferenceGraph | None]:
    """Make a function of objects and the options of a picture."""

    def show(
        objs: Any, *args: _Options.args, **kwargs: _Options.kwargs
    ) -> ReferenceGraph | None:
        chosen = options(*args, **kwargs)
        return _show(picture(objs, backwards, chosen), chosen)

    parameters = inspect.signature(options).parameters.values()
    first = inspect.Parameter("objs", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    show.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    show.__name__ = show.__qualname__ = name
    show.__doc__ = doc
    # The objects may be given by name as well, which the type cannot say.
    return cast("Callable[Concatenate[Any, _Options], ReferenceGraph | None]", show)


show_refs = _shows(
    PictureOptions,
    False,
    "show_refs",
    """Show what objects hold.

    Parameters
    ----------
    objs : object, or list or tuple of objects
    *args, **kwargs
        Those of `PictureOptions`: ``max_depth``, ``extra_ignore``, ``filter``,
        ``too_many``, ``highlight``, ``filename``, ``extra_info``, ``refcounts``,
        ``shortnames``, ``output``, ``extra_node_attrs`` as in objgraph, and ``collect``,
        ``reprs``, ``sizes``, ``frames``, ``across``,
        ``internals``.

    Returns
    -------
    ReferenceGraph or None
        The picture, which a notebook shows; None when it was written somewhere.

    Raises
    ------
    ValueError
        Both ``filename`` and ``output`` are given, or ``max_depth`` is negative.
    OSError
        The file cannot be written.

    See Also
    --------
    show_backrefs : what holds objects.
    """,
)

show_backrefs = _shows(
    PictureOptions,
    True,
    "show_backrefs",
    """Show what holds objects, and what holds that, up to the modules.

    The arguments and the result are those of `show_refs`. Running functions are shown
    too, with the variable that holds an object.
    """,
)


def show_chain(
    *chains: list[Any], backrefs: bool = True, **keywords: Any
) -> ReferenceGraph | None:
    """Show chains that `find_ref_chain` or `find_backref_chain` found.

    Parameters
    ----------
    *chains : list
    backrefs : bool
        Draw from the ends of the chains backwards.
    **keywords
        As for `show_refs`, without `max_depth` and `filter`.
    """
    full = [chain for chain in chains if chain]
    if not full:
        raise ValueError("show_chain needs a chain that is not empty")
    ids = {id(it) for it in itertools.chain(*full)}
    show = show_backrefs if backrefs else show_refs
    ends = [chain[-1] if backrefs else chain[0] for chain in full]
    return show(
        ends,
        max_depth=max(map(len, full)) - 1,
        filter=lambda it: id(it) in ids,
        **keywords,
    )


def picture(
    objs: Any, backwards: bool, options: PictureOptions, *, single: bool = False
) -> ReferenceGraph:
    """Give the graph that `show_refs` or `show_backrefs` shows.

    With `single`, a list is the object to be shown, and not the objects in it.
    """
    several = not single and issubclass(type(objs), list | tuple)
    # Each once, whatever the caller lists.
    objects = list({id(it): it for it in objs}.values()) if several else [objs]
    ignored = {*options.extra_ignore, id(options.extra_ignore)}
    if several:
        ignored.add(id(objs))
    if options.collect:
        gc.collect()
    typename = short_name if options.shortnames else long_name
    # Before the search, whose lists hold everything that it finds.
    heap = take(OURS)[0] if options.sizes else None
    found = explore(objects, backwards, options, ignored, typename)
    path = _path_to_root(found) if backwards else set()
    nodes = tuple(
        _node(number, found, options, typename, heap, not several)
        for number in range(len(found.objects))
    )
    references = tuple(
        Reference(
            holder,
            held,
            tuple(edge_names(found.objects[holder], found.objects[held]))
            if names is None
            else names,
            (holder, held) in path,
        )
        for (holder, held), names in found.edges.items()
    )
    return ReferenceGraph(
        backwards, options.max_depth, options.across, nodes, references
    )


def _path_to_root(found: Found) -> set[tuple[int, int]]:
    """Give the references from the nearest module or running function to an object."""
    for number, it in enumerate(found.objects):
        if found.depths[number] and (type(it) is StandIn or is_proper_module(it)):
            return set(found.path_from(number))
    return set()


def _node(
    number: int,
    found: Found,
    options: PictureOptions,
    typename: Callable[[type], str],
    heap: Heap | None,
    wrapped: bool,
) -> Node:
    it = found.objects[number]
    # Ours: the list of what was found, this variable and the argument of getrefcount();
    # of what was asked for also the list of that, and the arguments of two calls.
    ours = 3 if found.depths[number] else 4 + 2 * wrapped
    references = sys.getrefcount(it) - ours
    if type(it) is StandIn:
        return _stand_in_node(it, found.depths[number])
    cls = type(it)
    extra = options.extra_node_attrs(it) if options.extra_node_attrs else {}
    size, retained = _sizes(heap, it)
    return Node(
        address=id(it),
        type=typename(cls),
        value=describe(it, options.reprs),
        info=str(options.extra_info(it)) if options.extra_info else "",
        depth=found.depths[number],
        module=issubclass(cls, types.ModuleType),
        highlighted=bool(options.highlight and options.highlight(it)),
        finalizer=has_finalizer(cls),
        refcount=references if options.refcounts and references < _IMMORTAL else None,
        bundles=found.bundles.get(number, ()),
        size=size,
        retained=retained,
        running=False,
        attributes={
            str(name): str(value)
            for name, value in sorted(extra.items())
            if value is not None
        },
    )


def _sizes(heap: Heap | None, it: object) -> tuple[int | None, int | None]:
    if heap is None:
        return None, None
    if type(it) is Memory:  # the heap has one of its own
        return it.size, it.size
    try:
        return heap.size(it), heap.retained(it)
    except LookupError:
        # It came into being after the heap had been looked through.
        return None, None


def _stand_in_node(it: StandIn, depth: int) -> Node:
    return Node(
        address=it.number,
        type=it.type,
        value=it.value,
        info="",
        depth=depth,
        module=False,
        highlighted=False,
        finalizer=False,
        refcount=None,
        bundles=(),
        size=None,
        retained=None,
        running=it.running,
        attributes={},
    )


def _show(graph: ReferenceGraph, options: PictureOptions) -> ReferenceGraph | None:
    if options.output:
        from .view import dot

        options.output.write(dot(graph))
    elif options.filename:
        from .files import write

        write(graph, os.fspath(options.filename))
    else:
        if not _in_ipython():
            print(graph)
        return graph
    return None


def _in_ipython() -> bool:
    """Tell whether IPython will show what a call returns."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    return shell is not None and shell.InteractiveShell.initialized()
