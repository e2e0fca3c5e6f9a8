"""Run a program whose functions with ``@profile`` are recorded by time and memory.

``python -m nbprobe.memit.stamped FILE FLAG PROGRAM...`` is what ``nbprobe mprof run``
starts: the functions are appended to FILE when the program has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from .. import script
from .stamps import TimeStamper

__all__ = ["run"]

CHILDREN = "with-children"


def run(
    program: Sequence[str],
    output: str | None,
    *,
    backend: str | None = None,
    include_children: bool = False,
) -> int:
    """Run a program and write the ``FUNC`` lines of its functions.

    Parameters
    ----------
    program : sequence of str
        As `nbprobe.script.run` takes it.
    output : str or None
        The file to append to; without one, standard output.

    Returns
    -------
    int
        The program's exit code.

    Raises
    ------
    ScriptError
        There is no such program.
    """
    stamps = TimeStamper(backend, include_children)
    code = 0
    try:
        script.run(program, {"profile": stamps})
    except script.ScriptError:
        raise
    except BaseException as error:
        code = script.report(error)
    with ExitStack() as stack:
        stream = sys.stdout
        if output is not None:
            stream = stack.enter_context(open(output, "a", encoding="utf-8"))
        stamps.show_results(stream)
    return code


def _main() -> int:
    output, children, *program = sys.argv[1:]
    try:
        return run(program, output, include_children=children == CHILDREN)
    except script.ScriptError as error:
        print(f"nbprobe mprof run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(_main())
