"""Named runs: the results that a session keeps, for a later one to be compared with.

The store belongs to a shell and is shared by all magics. Each tool has its names for
itself, so that ``%timeit --name first`` does not take the place of ``%prun --name first``.
"""

from __future__ import annotations

import difflib
import os
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from .errors import ResultFileError
from .options import Option, OptionError
from .results import Result, load

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["NAME", "VS_NAME", "Runs", "forget_runs", "runs_of"]

R = TypeVar("R", bound=Result)

# An attribute of the shell, which the results live as long as.
_STORE = "_nbprobe_runs"

# Profiles that %dis takes heat from.
_RECENT = 8


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("a name")
    return text


NAME = Option(
    "name",
    ("--name",),
    "Keep the result for this session as NAME, and compare with the one that was "
    "kept under it before.",
    "NAME",
    _name,
)
VS_NAME = Option(
    "vs",
    ("--vs",),
    "Compare with the run that was kept by --name NAME, or with a result in the file NAME.",
    "NAME",
    _name,
)


class Runs:
    """The results that were kept, by their class and name."""

    def __init__(self) -> None:
        self._kept: dict[tuple[type[Result], str], Result] = {}
        self._recent: deque[Result] = deque(maxlen=_RECENT)

    def remember(self, result: Result) -> None:
        """Keep a profile as one of the latest, as far as it knows where the time went."""
        if hasattr(result, "heat_of"):
            self._recent.append(result)

    def recent(self) -> list[Result]:
        """Give the latest profiles of the session, the latest last."""
        return list(self._recent)

    def keep(self, name: str, result: R) -> R | None:
        """Keep a result, and give the one of its class that had the name before."""
        earlier = self.get(name, type(result))
        self._kept[type(result), name] = result
        return earlier

    def get(self, name: str, cls: type[R]) -> R | None:
        """Give the result of a class that was kept under a name, or None."""
        kept = self._kept.get((cls, name))
        return kept if isinstance(kept, cls) else None

    def names(self, cls: type[Result]) -> list[str]:
        """Give the names of a class, in the order in which they were first kept."""
        return [name for kept, name in self._kept if kept is cls]

    def find(self, name: str, cls: type[R]) -> R:
        """Give the result that ``--vs`` names: one that was kept, or else one in a file.

        Raises
        ------
        OptionError
            Naming those that there are, or what is wrong with the file.
        """
        kept = self.get(name, cls)
        if kept is not None:
            return kept
        if not os.path.isfile(name):
            raise OptionError(self._unknown(name, cls))
        try:
            loaded = load(name)
        except (OSError, ResultFileError) as error:
            raise OptionError(f"--vs: {error}") from None
        if not isinstance(loaded, cls):
            raise OptionError(
                f"--vs {name}: that file holds a {type(loaded).__name__}; a"
                f" {cls.__name__} is needed"
            )
        return loaded

    def _unknown(self, name: str, cls: type[Result]) -> str:
        names = self.names(cls)
        if not names:
            return f"there is no run {name!r} yet: keep one with --name {name}"
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"there is no run {name!r}, only {', '.join(names)}{hint}"


def runs_of(shell: InteractiveShell) -> Runs:
    """Give the shell's store."""
    runs: Runs = vars(shell).setdefault(_STORE, Runs())
    return runs


def forget_runs(shell: InteractiveShell) -> None:
    """Drop everything that was kept."""
    vars(shell).pop(_STORE, None)
