"""On an engine of ipyparallel: run a magic, and give what it measured as one snapshot."""

from __future__ import annotations

import json
import time
from importlib import import_module
from typing import Any

from .reply import write

__all__ = ["MAGICS", "as_written", "record"]

#: The magics that run on engines, by tool. They are the only ones that a request can name.
MAGICS = {
    "lprun": ("lprun.magic", "Lprun"),
    "memit": ("memit.magic", "Memit"),
    "prun": ("prun.magic", "Prun"),
    "timeit": ("timeit.magic", "Timeit"),
}

# Where a magic leaves its result, also when the code raises; not for longer than that.
_VARIABLE = "_nbprobe_engine_result"


def record(request: str, *call: Any) -> bytes:
    """Run a magic here, once.

    Parameters
    ----------
    request : str
        JSON: `tool`, the `line` of the magic and its `cell` or null, `session`.
    *call
        A function and its arguments, for a line that says ``function(*arguments)``.

    Returns
    -------
    bytes
        A snapshot of one or two records: what there is to say of this engine, and the
        result, as far as there is one.
    """
    asked = json.loads(request)
    module, name = MAGICS[asked["tool"]]
    magics = getattr(import_module(f"..{module}", __package__), name)
    shell = import_module("IPython").get_ipython()  # an engine is an IPython kernel
    line = f"-q -v {_VARIABLE} {asked['line']}"
    names = {"function": call[0], "arguments": call[1:]} if call else None
    start_ns = time.perf_counter_ns()
    error: list[str] | None = None
    try:
        getattr(magics(shell), asked["tool"])(line, asked["cell"], names)
    except BaseException as caught:
        # The client raises it, after it has shown what ran before.
        error = _described(shell, caught)
    wall_ns = time.perf_counter_ns() - start_ns
    result = shell.user_ns.pop(_VARIABLE, None)
    return write(asked["session"], wall_ns, result, error=error)


def as_written(text: str) -> str:
    """Give a line of code without what a request has put before it."""
    if f" -v {_VARIABLE} " not in text:
        return text
    return text.partition(" -- ")[2]


def _described(shell: Any, error: BaseException) -> list[str]:
    """Give an error's type, text and traceback, as IPython shows it."""
    lines = shell.InteractiveTB.structured_traceback(
        type(error), error, error.__traceback__
    )
    return [type(error).__name__, str(error), "\n".join(lines)]
