"""Why an object is alive: the shortest ways to it, in the user's own words."""

from __future__ import annotations

import re
import sys
import types
from typing import Any

from .._core import paths_to, referrers
from .advice import forget_outputs, letting_go, statement
from .exploring import HOST, OURS, history_of, shell
from .labels import FRAMES, describe, edge_names, ends, long_name
from .result import Holder, Why

__all__ = ["why"]

_HISTORY = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|_oh|_ih|_dh|Out|In")
_LAST_ERROR = ("last_exc", "last_value", "last_traceback")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def why(obj: object, limit: int = 5, *, internals: bool = False) -> Why:
    """Say what keeps an object alive.

    Parameters
    ----------
    obj : object
    limit : int
        How many ways to it to give, one through each object that holds it.
    internals : bool
        Give also the functions of IPython and of the kernel that are running.

    Returns
    -------
    Why
        The shortest ways from modules, then from running functions, then from what is
        held outside of Python's own objects; each with what would let go.

    Notes
    -----
    Weak references hold nothing and are not followed. The heap is looked through once,
    and is left as it is: nothing is collected, and no code of the objects runs.

    See Also
    --------
    show_backrefs : the same as a picture, with everything on the way.

    Examples
    --------
    >>> cache = {"rows": [[1, 2]]}
    >>> print(why(cache["rows"][0]))  # doctest: +SKIP
    list 2 items is held by 1 object
      cache['rows'][0]   variable of this notebook
          to let go: del cache
    """
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, and is {limit}")
    hidden = OURS if internals else OURS + HOST
    # More than asked for, because several may be one and the same to the user.
    total, paths = paths_to(obj, hidden, 4 * limit + 16)
    # Several may be one and the same: a frame leads there by itself and by a copy of its
    # names, and the history has outputs at several places.
    holders: dict[tuple[str, str], tuple[Holder, set[int]]] = {}
    history: dict[str, set[int]] = {}
    for number, (kind, variable, chain) in enumerate(paths):
        chain = _shortened(chain)
        for name in _last_names(chain, variable, obj):
            holder = _holder(kind, variable, chain, name)
            if holder.origin == "history":
                history.setdefault(holder.expression, set()).add(number)
            else:
                key = holder.expression, holder.place
                holders.setdefault(key, (holder, set()))[1].add(number)
    if not total:
        return Why(_short(type(obj)), describe(obj), 0, _garbage(obj, limit), 0)
    chosen = list(holders.values())[: limit - bool(history)]
    covered = set().union(*history.values(), *(numbers for _, numbers in chosen))
    shown = [holder for holder, _ in chosen]
    if history:
        shown.insert(0, _fold(list(history)))
    left_out = total - len(covered)
    return Why(_short(type(obj)), describe(obj), total, tuple(shown), left_out)


def _garbage(obj: object, limit: int) -> tuple[Holder, ...]:
    """Name what holds an object that nothing leads to: circles of garbage."""
    (found,) = referrers([obj])
    place = "garbage that waits for the collector"
    rows = []
    for it in found[:limit]:  # a generator would hold the object itself
        name = f"({_short(type(it))}){_written(it, obj)[0]}"
        rows.append(Holder(name, "garbage", place, (), "import gc; gc.collect()"))
    return tuple(rows)


class _Gap:
    """What is left out of a way that is too long to be read."""

    def __init__(self, count: int) -> None:
        self.count = count


def _shortened(chain: list[Any]) -> list[Any]:
    """Leave out the middle of a long way."""
    first, left_out, last = ends(chain)
    return [*first, _Gap(left_out), *last] if left_out else chain


def _step(it: object) -> str:
    if type(it) is _Gap:
        return f"and {it.count:,} more"
    return f"{_short(type(it))}  {describe(it)}"


def _short(cls: type) -> str:
    return long_name(cls).removeprefix("builtins.").removeprefix("__main__.")


def _last_names(chain: list[Any], variable: str | None, obj: object) -> list[str]:
    """Give the names of the last reference, of which one object may have several."""
    if len(chain) == 1 and variable is not None:
        return [""]
    return _written(chain[-1], obj)


def _written(source: object, target: object) -> list[str]:
    if type(target) is _Gap:
        return [f" … {target.count:,} more … "]
    if type(source) is _Gap:
        return [""]
    names = edge_names(source, target)
    if not names and type(target) is types.CoroutineType and _is_task(source):
        return [".get_coro()"]
    return names or [f" -> ({_short(type(target))})"]


def _name(source: object, target: object) -> str:
    """Give one name of a reference, the user's own before those of the history."""
    names = _written(source, target)
    return next((it for it in names if not _is_output(it)), names[0])


def _is_output(name: str) -> bool:
    """Tell whether a name in a namespace is one that IPython gives to outputs."""
    return re.fullmatch(rf"\['({_HISTORY.pattern})'\]", name) is not None


def _is_task(it: object) -> bool:
    module = sys.modules.get("asyncio")
    return module is not None and issubclass(type(it), module.Task)


def _holder(kind: str, variable: str | None, chain: list[Any], last: str) -> Holder:
    start = 1 if variable is not None else 0
    names = [
        _in_code(source, _name(source, target))
        for source, target in zip(chain[start:], chain[start + 1 :], strict=False)
    ]
    if start < len(chain):
        names.append(_in_code(chain[-1], last))
    steps = tuple(map(_step, chain))
    if kind == "frame":
        return _of_frame(chain[0], variable, names, steps)
    if kind == "module":
        return _of_module(chain, names, steps)
    expression = f"({_short(type(chain[0]))})" + "".join(names)
    place = "held by C code, by the interpreter or by a running expression"
    return Holder(expression, "outside", place, steps, "")


_FRAME = ".f_locals"


def _in_code(source: object, name: str) -> str:
    """Write a variable of a frame or a generator as code reaches it from outside."""
    if not name[:1].isidentifier():
        return name
    frame = FRAMES.get(type(source), "")
    return f"{frame}{_FRAME}['{name}']"


def _of_frame(
    code: Any, variable: str | None, names: list[str], steps: tuple[str, ...]
) -> Holder:
    expression = (variable or "") + _folded(names)
    place = f"in the running function {_code_name(code)}"
    advice = f"it goes when the function returns, or by `del {variable}` there"
    return Holder(expression, "frame", place, steps, advice if variable else "")


def _code_name(code: Any) -> str:
    if type(code) is not types.CodeType:
        return describe(code)
    return f"{code.co_qualname}() ({code.co_filename}:{code.co_firstlineno})"


def _folded(names: list[str]) -> str:
    """Put names one after the other, an attribute's dictionary left unsaid."""
    expression = ""
    for name in names:
        key = re.fullmatch(r"\['(.*)'\]", name)
        if expression.endswith(".__dict__") and key and _is_identifier(key[1]):
            expression = expression.removesuffix(".__dict__") + f".{key[1]}"
        else:
            expression += name
    return expression


def _is_identifier(word: str) -> bool:
    return _IDENTIFIER.fullmatch(word) is not None


def _of_module(chain: list[Any], names: list[str], steps: tuple[str, ...]) -> Holder:
    module = describe(chain[0])
    paths = [
        _folded([module, *names[:step]]).removeprefix("__main__.")
        for step in range(len(names) + 1)
    ]
    path = paths[-1]
    variable = path.removeprefix("sys.")
    if _is_history(chain):
        return Holder(_output_name(path), "history", "", (), "")
    word = re.match(_IDENTIFIER, variable)
    first = word[0] if word else path
    if module == "sys" and first in _LAST_ERROR:
        return _of_traceback(chain, names, path, steps)
    if module == "__main__":
        if _HISTORY.fullmatch(first):
            return _of_output(path, chain, steps)
        place = "variable of this notebook" if shell() else "variable of __main__"
        advice = letting_go(chain, paths) or _forget(chain, first)
        return Holder(path, "notebook", place, steps, advice)
    advice = letting_go(chain, paths)
    # Deeper inside of a module it is not ours to say what can be done without.
    if not advice and len(chain) <= 4:
        advice = statement(f"del {path}")
    return Holder(path, "module", f"module {module}", steps, advice)


def _of_output(path: str, chain: list[Any], steps: tuple[str, ...]) -> Holder:
    """Name what is held by an output, or what is in one."""
    name = re.match(r"(?:Out|_oh)\[\d+\]|_\w*", path)
    rest = path[name.end() :] if name else ""
    if name is None or not rest:
        return Holder(_output_name(path), "history", "", (), "")
    names = [it[2:-2] for it in _written(chain[1], chain[2])]
    known = sorted({_output_name(it) for it in [name[0], *names] if it != "_oh"})
    place = "in IPython's history of outputs"
    return Holder(f"{known[0]}{rest}", "output", place, steps, forget_outputs(known))


def _forget(chain: list[Any], variable: str) -> str:
    """Let go of a variable, and of the other names of the object that it names."""
    names = [f"['{variable}']"]
    if len(chain) > 2:
        names = _written(chain[1], chain[2])
    variables = [name[2:-2] for name in names if not _is_output(name)]
    outputs = [_output_name(name[2:-2]) for name in names if _is_output(name)]
    known = types.ModuleType.__getattribute__(chain[0], "__dict__")
    if not variables or any(name not in known for name in variables):
        return ""
    lines = [f"del {', '.join(variables)}"]
    if outputs:
        lines.append(forget_outputs(outputs))
    return "\n".join(lines)


def _of_traceback(
    chain: list[Any], names: list[str], path: str, steps: tuple[str, ...]
) -> Holder:
    """Say which function that failed has the object, and in which variable."""
    frames = [at for at, it in enumerate(chain) if type(it) is types.FrameType]
    place = "held by the last error"
    if frames:
        rest = _folded(names[frames[-1] :]).removeprefix(_FRAME)
        path = re.sub(r"^\['(\w+)'\]", r"\1", rest)
        name = _code_name(chain[frames[-1]].f_code)
        place = f"in the last error's traceback, in {name}"
    return Holder(path, "traceback", place, steps, _forget_error())


def _forget_error() -> str:
    """Give the statement that lets go of the last error, here."""
    places = [f"sys.{name}" for name in _LAST_ERROR if hasattr(sys, name)]
    if shell() is not None:
        places.append("get_ipython().InteractiveTB.tb")
    return f"import sys; {' = '.join(places)} = None"


def _is_history(chain: list[Any]) -> bool:
    """Tell whether IPython's own bookkeeping of outputs is what holds."""
    running = shell()
    return running is not None and any(chain[-1] is it for it in history_of(running))


def _output_name(path: str) -> str:
    """Give a name in the output history as the user knows it."""
    number = re.search(r"(?:Out|_oh).*\[(\d+)\]", path) or re.fullmatch(r"_(\d+)", path)
    if number:
        return f"Out[{number[1]}]"
    last = re.search(r"(_{1,3}|_\d+)'?\]?$", path)
    return last[1] if last else path


def _fold(names: list[str]) -> Holder:
    """Put all that IPython keeps of its outputs into one line."""
    numbers = sorted(
        {int(name[4:-1]) for name in names if re.fullmatch(r"Out\[\d+\]", name)}
    )
    recent = sorted({name for name in names if re.fullmatch(r"_{1,3}", name)}, key=len)
    shown = [f"Out[{number}]" for number in numbers] + recent
    return Holder(
        ", ".join(shown) or "the result of the last cell",
        "history",
        "IPython's history of outputs",
        (),
        forget_outputs(shown),
    )
