"""What lets go of an object, as statements that the user may run."""

from __future__ import annotations

import ast
import re
import sys
from typing import Any

from .labels import long_name

__all__ = ["forget_outputs", "letting_go", "statement"]

_FIGURE = re.compile(r"matplotlib\._pylab_helpers\.Gcf\.figs\[(\d+)\]")


def statement(text: str) -> str:
    """Give a statement if it is one; empty where a reference has no name in code."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    return text


def letting_go(chain: list[Any], paths: list[str]) -> str:
    """Give what ends a holder on the way that ``del`` does not end.

    Parameters
    ----------
    chain : list
        The objects on the way.
    paths : list of str
        How code reaches each of them.

    Returns
    -------
    str
        Empty when there is none.
    """
    figure = _FIGURE.match(paths[-1])
    if figure:
        return f"import matplotlib.pyplot; matplotlib.pyplot.close({figure[1]})"
    for it, path in zip(chain, paths, strict=False):
        name = _ending(it)
        if not name:
            continue
        lines = f"{path}.{name}()"
        # An error that ended it may hold its variables.
        if name != "cache_clear" and not path.startswith("threading._"):
            lines += f"\ndel {path}"
        if statement(lines):
            return lines
    return ""


def _ending(it: object) -> str:
    """Give the method that makes an object let go of what it holds; empty for none."""
    cls = type(it)
    if long_name(cls) == "functools._lru_cache_wrapper":
        return "cache_clear"
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and issubclass(cls, asyncio.Task):
        return "" if asyncio.Task.done(it) else "cancel"
    threading = sys.modules.get("threading")
    if threading is not None and issubclass(cls, threading.Thread):
        # One that runs is held by the interpreter, until it ends.
        return "join" if any(it is other for other in threading.enumerate()) else ""
    return ""


def forget_outputs(names: list[str]) -> str:
    """Give the statements that make IPython forget outputs.

    Parameters
    ----------
    names : list of str
        ``Out[3]``, ``_``, ``__``, ``___``.
    """
    numbers = [int(name[4:-1]) for name in names if name.startswith("Out[")]
    recent = [name for name in names if name.startswith("_")]
    # It keeps a copy of these names, which %reset forgets to clear.
    copies = recent + [f"_{number}" for number in numbers]
    advice = "%reset -f out"
    if copies:
        advice += f"\nget_ipython().user_ns_hidden.update(dict.fromkeys({copies}))"
    return advice
