"""kernprof's names, for programs that import it.

``python -m nbprobe.lprun.kernprof`` is ``nbprobe lprun``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .. import script
from .._core import __version__
from .calls import ContextualProfile

__all__ = [
    "ContextualProfile",
    "RepeatedTimer",
    "__version__",
    "execfile",
    "find_module_script",
    "find_script",
    "main",
]


def main(args: Sequence[str] | None = None, *, exit_on_error: bool = True) -> None:
    """Run kernprof's command line.

    Parameters
    ----------
    args : sequence of str, optional
        Those of the process without it.
    exit_on_error : bool
        Raise SystemExit when the program failed, or was not found.
    """
    from ..commands import lprun as command

    code = command.main(sys.argv[1:] if args is None else list(args))
    if code and exit_on_error:
        raise SystemExit(code)


class RepeatedTimer:
    """Calls a function again and again in a thread of its own, from now on until `stop`.

    Parameters
    ----------
    interval : float
        Seconds between two calls.
    dump_func : callable
        What is called, with `outfile`.
    outfile : str
    """

    def __init__(
        self, interval: float, dump_func: Callable[[Any], object], outfile: Any
    ) -> None:
        self.interval = interval
        self.dump_func = dump_func
        self.outfile = outfile
        self.is_running = False
        self.start()

    def start(self) -> None:
        """Begin, unless it runs."""
        if self.is_running:
            return
        self.is_running = True
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._ended,), name="nbprobe lprun", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End, after the call that is being made."""
        self.is_running = False
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(self.interval):
            self.dump_func(self.outfile)


def execfile(
    filename: str,
    globals: dict[str, Any] | None = None,
    locals: dict[str, Any] | None = None,
) -> None:
    """Run a file, as Python 2's function of that name."""
    with open(filename, "rb") as stream:
        code = compile(stream.read(), filename, "exec", dont_inherit=True)
    exec(code, globals, locals)


def find_script(script_name: str, *, exit_on_error: bool = True) -> str:
    """Find a program: a file here or on the PATH.

    Raises
    ------
    SystemExit
        There is none; FileNotFoundError with ``exit_on_error=False``.
    """
    found = script.find(script_name)
    if found is None:
        return _missing(f"there is no script {script_name!r}", exit_on_error)
    return found


def find_module_script(
    module_name: str, *, static: bool = True, exit_on_error: bool = True
) -> str:
    """Find the file that ``python -m`` runs.

    Parameters
    ----------
    module_name : str
        Of a package, its ``__main__``.
    static : bool
        Accepted for kernprof's sake: finding the packages round a module imports them.

    Raises
    ------
    SystemExit
        There is none; ModuleNotFoundError with ``exit_on_error=False``.
    """
    for name in (f"{module_name}.__main__", module_name):
        try:
            spec = importlib.util.find_spec(name)
        except ImportError:
            continue
        if spec is not None and spec.origin and os.path.isfile(spec.origin):
            return spec.origin
    return _missing(
        f"there is no module {module_name!r}", exit_on_error, ModuleNotFoundError
    )


def _missing(
    message: str, exit_on_error: bool, error: type[Exception] = FileNotFoundError
) -> str:
    if not exit_on_error:
        raise error(message)
    print(message, file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
