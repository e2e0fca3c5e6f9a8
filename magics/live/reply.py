"""What an engine or a worker answers: one snapshot in the wire format, in one reply."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable
from typing import Any

from .. import _core
from ..errors import ResultFileError
from ..results import Result, parse
from .child import LAST
from .children import Gathered
from .processes import Process

__all__ = ["Replies", "absent", "write"]


def write(
    session: int,
    wall_ns: int,
    result: Result | None,
    *,
    error: list[str] | None = None,
) -> bytes:
    """Make the reply of this process.

    Parameters
    ----------
    session : int
        As the request has it.
    wall_ns : int
        How long it was at it.
    result : Result or None
        What it measured.
    error : list of str, optional
        Type, text and traceback of what ended the code.
    """
    about = {
        "host": platform.node(),
        "wall_ns": wall_ns,
        "error": error,
    }
    records = [json.dumps(about).encode()]
    if result is not None:
        records.append(result.to_json().encode())
    header = session, os.getpid(), os.getppid(), time.time_ns(), 1, 0, LAST
    return _core.write_snapshot(header, records)


def _read(
    reply: bytes, session: int, kind: str, name: str
) -> tuple[Process, Result | None, list[str] | None]:
    """Read a reply.

    Returns
    -------
    process : Process
    result : Result or None
        What it measured.
    error : list of str or None
        Type, text and traceback of what ended the code.

    Raises
    ------
    ValueError, TypeError, KeyError, ResultFileError
        It is damaged, or of another session.
    """
    header, records = _core.read_snapshot(reply)
    if header[0] != session or not records:
        raise ValueError("not of this profile")
    about: dict[str, Any] = json.loads(records[0])
    error = about["error"]
    note = ""
    if error is not None:
        note = f"{error[0]}: {error[1]}".splitlines()[0][:200]
    process = Process(
        pid=header[1],
        parent=header[2],
        name=name,
        state="finished" if error is None else "failed",
        until_ns=int(about["wall_ns"]),
        snapshots=1,
        note=note,
        kind=kind,
        host=str(about["host"])[:100],
    )
    return process, parse(records[1]) if len(records) > 1 else None, error


class Replies:
    """What the processes of a cluster have answered, one by one.

    Parameters
    ----------
    session : int
        As the request has it.
    kind : str
        ``'engine'`` or ``'worker'``.
    """

    def __init__(self, session: int, kind: str) -> None:
        self._session = session
        self._kind = kind
        self._processes: list[Process] = []
        self._results: list[tuple[Process, Result]] = []
        self._faults = 0

    def absent(self, name: str, state: str, note: str) -> None:
        """Take down one that has no figures, and why."""
        self._processes.append(absent(self._kind, name, state, note))

    def add(self, name: str, reply: bytes) -> list[str] | None:
        """Take down a reply; give type, text and traceback of what ended the code."""
        try:
            process, result, error = _read(reply, self._session, self._kind, name)
        except (ValueError, TypeError, KeyError, ResultFileError) as damage:
            self._faults += 1
            self.absent(name, "silent", f"a damaged reply: {damage}")
            return None
        self._processes.append(process)
        if result is not None:
            self._results.append((process, result))
        return error

    def gathered(self, gone: Iterable[Process] = ()) -> Gathered:
        """Give all of them, and those that were not asked behind them."""
        processes = (*self._processes, *gone)
        return Gathered(processes, tuple(self._results), faults=self._faults)


def absent(kind: str, name: str, state: str, note: str) -> Process:
    """Give one that has no figures, and say why."""
    line = (note.splitlines() or [""])[0][:200]
    return Process(pid=0, parent=0, name=name, state=state, note=line, kind=kind)
