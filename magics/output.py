"""What a magic does with its result: show it, keep it, return it."""

from __future__ import annotations

import keyword
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from .live.display import take_display
from .options import Option, Parsed
from .runs import runs_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

from .results import Result

__all__ = ["OPTIONS", "deliver", "is_on_display", "show", "writing"]


R = TypeVar("R", bound=Result)


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ValueError("the name of a variable")
    return text


# The same letters with the same meaning for every magic, as the built-in ones have them.
OPTIONS = (
    Option("quiet", ("-q",), "Show nothing."),
    Option("output", ("-o",), "Return the result, to be kept, saved or compared."),
    Option(
        "variable",
        ("-v",),
        "Store the result in the variable NAME, also from a cell magic.",
        "NAME",
        _variable,
    ),
)


def deliver(shell: InteractiveShell, result: R, options: Parsed) -> R | None:
    """Show, store and return a result as ``-q``, ``-v`` and ``-o`` say."""
    if not options.quiet:
        show(shell, result)
    runs_of(shell).remember(result)
    if options.variable:
        shell.user_ns[options.variable] = result
    if not options.output:
        return None
    if not options.quiet:
        _note_display(shell, result)
    return result


def show(shell: InteractiveShell, result: Result) -> None:
    """Show a result once: as rich output in a notebook, else as text on stdout.

    The rich output carries the complete text for front ends without HTML. Where
    ``%%capture`` or the like has taken stdout from the kernel, somebody reads the text:
    then it goes there, and only there.
    """
    if shell.has_trait("kernel") and not _stdout_is_taken():
        from IPython.display import display

        # What was shown while it ran, if anything, becomes the result.
        if waiting := take_display(shell):
            display(result, display_id=waiting, update=True)  # type: ignore[no-untyped-call]
        else:
            display(result)  # type: ignore[no-untyped-call]
    else:
        _print(str(result))


def _print(text: str) -> None:
    """Print a text; on a terminal, one that is longer than the screen goes to the pager.

    So do the built-in ``%prun`` and line_profiler: what matters is at the top.
    """
    is_terminal = all(
        stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)
    )
    if is_terminal and text.count("\n") >= shutil.get_terminal_size().lines:
        from IPython.core import page

        page.page(text)
    else:
        print(text)


@contextmanager
def writing(magic: str, flag: str, path: str) -> Iterator[None]:
    """Say in one line that the file of an option could not be written."""
    from IPython.core.error import UsageError

    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{magic}: {flag} {path}: {error.strerror or error}; the rest is done"
        ) from None


# An attribute of the shell while a cell runs: what it has shown and then returned.
_SHOWN = "_nbprobe_shown"


def _note_display(shell: InteractiveShell, result: Result) -> None:
    def forget() -> None:
        shell.events.unregister("post_execute", forget)
        delattr(shell, _SHOWN)

    if not hasattr(shell, _SHOWN):
        shell.events.register("post_execute", forget)
    setattr(shell, _SHOWN, result)


def is_on_display(result: Result) -> bool:
    """Tell whether the running cell has shown a result already.

    ``%timeit -o f()`` on the last line of a cell shows it and returns it: the returned one
    is then one line, as after the built-in magic, and not the same picture again.
    """
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), _SHOWN, None) is result


def _stdout_is_taken() -> bool:
    iostream = sys.modules.get("ipykernel.iostream")
    return iostream is not None and not isinstance(sys.stdout, iostream.OutStream)
