"""What is known of a process that took part in a profile, or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["KINDS", "STATES", "Process", "describe", "is_whole"]

#: What a process can be, and what one and several of them are called.
KINDS = {
    "child": ("child process", "child processes"),
    "engine": ("engine", "engines"),
    "worker": ("worker", "workers"),
}

#: What each state is called.
STATES = {
    "finished": "finished",
    "running": "still running",
    "killed": "killed, the last moments missing",
    "failed": "ended by an error",
    "lost": "died, and its figures with it",
    "silent": "did not attach",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that took part in a profile beside the one that shows it.

    A child that the profiled one started, itself or through another; an engine of
    ipyparallel; a worker of dask.

    Attributes
    ----------
    pid, parent : int
        Process numbers of it and of the process that started it.
    name : str
        As `multiprocessing` names it, or its command; ``'engine 3'``, ``'worker 0'``.
    state : {'finished', 'running', 'killed', 'failed', 'lost', 'silent'}
        When the profile ended: it had sent its last figures; it lived, and its figures are
        those that it had sent until then; it ended without a last word, and what it did
        after its last figures is missing; an exception ended its code; it died before it
        sent any figures; it never sent any.
    since_ns : int
        When it began to measure, ns after the profile began.
    until_ns : int
        When its last figures were taken, ns after the profile began.
    snapshots : int
        Messages of it that arrived.
    lost : int
        Messages of it that did not. Figures are cumulative: nothing but freshness is lost.
    note : str
        Why it did not attach, or what ended it, as far as that is known.
    kind : {'child', 'engine', 'worker'}
        What it is.
    host : str
        The machine that it runs on; empty for a child, which runs on this one.
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
    kind: str = "child"
    host: str = ""

    def __post_init__(self) -> None:
        """Refuse a state or a kind that is none."""
        if self.state not in STATES:
            raise ValueError(f"no state of a process: {self.state!r}")
        if self.kind not in KINDS:
            raise ValueError(f"no kind of a process: {self.kind!r}")

    @property
    def is_remote(self) -> bool:
        """Whether it is no child of the profiled process, but ran the code in its place."""
        return self.kind != "child"

    @property
    def label(self) -> str:
        """Name and, of a child, number, for display."""
        return self.name if self.is_remote else f"{self.name} ({self.pid})"


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
    one, several = KINDS[processes[0].kind if processes else "child"]
    line = f"{len(processes)} {one if len(processes) == 1 else several}"
    if parts:
        line += ": " + ", ".join(parts)
    if lost := sum(process.lost for process in processes):
        line += f"; {lost} message{'' if lost == 1 else 's'} lost"
    if others:
        line += f"; {others} of other programs"
    notes = sorted({_note(process) for process in processes if process.note})
    return "; ".join([line, *notes])


def is_whole(processes: Sequence[Process]) -> bool:
    """Whether the figures of all are there, and complete as far as they went."""
    return all(
        process.state in ("finished", "running")
        and not process.lost
        and not process.note
        for process in processes
    )


def _note(process: Process) -> str:
    return f"{process.name}: {process.note}" if process.is_remote else process.note
