"""What is known of a process that took part in a profile, or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["STATES", "Process", "describe"]

#: What each state is called.
STATES = {
    "finished": "finished",
    "running": "still running",
    "killed": "killed, the last moments missing",
    "silent": "did not attach",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that the profiled one started, itself or through another.

    Attributes
    ----------
    pid, parent : int
        Process numbers of it and of the process that started it.
    name : str
        As `multiprocessing` names it, or its command.
    state : {'finished', 'running', 'killed', 'silent'}
        When the profile ended: it had sent its last figures; it lived, and its figures are
        those that it had sent until then; it ended without a last word, and what it did
        after its last figures is missing; it never sent any.
    since_ns : int
        When it began to measure, ns after the profile began.
    until_ns : int
        When its last figures were taken, ns after the profile began.
    snapshots : int
        Messages of it that arrived.
    lost : int
        Messages of it that did not. Figures are cumulative: nothing but freshness is lost.
    note : str
        Why it did not attach, as far as that is known.
    """

    pid: int
    parent: int
    name: str
    state: str
    since_ns: int = 0
    until_ns: int = 0
    snapshots: int = 0
    lost: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a state that is none."""
        if self.state not in STATES:
            raise ValueError(f"no state of a process: {self.state!r}")

    @property
    def label(self) -> str:
        """Name and number, for display."""
        return f"{self.name} ({self.pid})"


def describe(processes: Sequence[Process], others: int = 0) -> str:
    """Say in one line how many processes took part, and which are not complete.

    Parameters
    ----------
    processes : sequence of Process
        All that were seen.
    others : int
        Processes of other programs, which cannot be profiled.
    """
    if not processes and not others:
        return "no child processes were seen"
    parts = [
        f"{count} {words}"
        for state, words in STATES.items()
        if (count := sum(process.state == state for process in processes))
    ]
    line = f"{len(processes)} child process{'' if len(processes) == 1 else 'es'}"
    if parts:
        line += ": " + ", ".join(parts)
    if lost := sum(process.lost for process in processes):
        line += f"; {lost} message{'' if lost == 1 else 's'} lost"
    if others:
        line += f"; {others} of other programs"
    notes = sorted({process.note for process in processes if process.note})
    return "; ".join([line, *notes])
