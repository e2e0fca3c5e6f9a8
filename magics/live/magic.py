"""``--engines`` of the magics: run the code on the engines of ipyparallel instead of here."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..cell import Cell
from ..errors import EnginesError, MissingPackageError
from ..options import Option, Parsed
from ..results import Result
from .display import is_wanted, live
from .engines import Outcome, ask, find_view
from .waiting import Roll

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["ENGINES", "on_engines"]

ENGINES = Option(
    "engines",
    ("--engines",),
    "Run the code on the engines of ipyparallel instead, and put together what they "
    "measure: on those of %px, or on those of a client or a view that is named before "
    "the statement (rc[:2]).",
)

# Options that are for this side: what is shown, kept and written.
_OURS = (
    "dump",
    "engines",
    "export",
    "name",
    "no_live",
    "output",
    "profiler",
    "quiet",
    "stats",
    "store_time",
    "text",
    "variable",
    "vs",
)


def on_engines(
    shell: InteractiveShell, tool: str, line: str, cell: str | None, options: Parsed
) -> tuple[Result, BaseException | None]:
    """Measure on engines.

    Parameters
    ----------
    tool : str
        The tool, which is the name of its magic.
    line, cell : str
        As the magic got them.
    options : Parsed
        What the line says.

    Returns
    -------
    result : Result
        Of all engines.
    error : BaseException or None
        To be raised when it has been shown: what the code raised, or Ctrl-C.

    Raises
    ------
    UsageError
        One line that says what is missing or wrong.
    SyntaxError
        Of the code, which has been sent nowhere then.
    """
    roll = Roll()
    shown = f"%{tool} --engines"
    try:
        view, rest = find_view(shell, options.rest, shell.user_ns)
        statement = _source(shell, tool, line, cell, rest)
        # The display has ended when what the engines printed is shown, below it.
        with ExitStack() as at_the_end:
            with live(shell, shown, wanted=is_wanted(options), watcher=roll):
                request = f"{options.line(*_OURS)} -- {rest}"
                outcome = ask(view, tool, request, cell, roll=roll)
                at_the_end.callback(outcome.show_output)
                _refuse_usage(outcome)
                result = outcome.result(tool, statement)
    except (EnginesError, MissingPackageError, TypeError) as error:
        raise UsageError(f"%{tool} --engines: {error}") from None
    interrupt = KeyboardInterrupt() if outcome.interrupted else None
    return result, outcome.error or interrupt


def _source(
    shell: InteractiveShell, tool: str, line: str, cell: str | None, rest: str
) -> str:
    """Check the code here, so that a slip is not one error an engine; give its text."""
    code = Cell(shell, tool, line, cell)
    pieces = [code.on_line(rest)]
    if cell is not None:
        pieces.append(code.below())
    return "\n".join(filter(None, (piece.source for piece in pieces)))


def _refuse_usage(outcome: Outcome) -> None:
    """Pass on what the magic itself found wrong on all engines, as it says it here."""
    told = getattr(outcome.error, "elist", [])
    if (
        told
        and not outcome.gathered.results
        and {each[0] for each in told} == {"UsageError"}
    ):
        raise UsageError(told[0][1])
