"""What an engine or a worker answers: one snapshot in the wire format, in one reply."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import Any

from .. import _core
from ..results import Result, parse
from .child import LAST
from .processes import Process

__all__ = ["absent", "read", "write"]


def write(
    session: int,
    wall_ns: int,
    result: Result | None,
    *,
    name: str = "",
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
    name : str
        What the cluster calls it, where the other side does not know.
    error : list of str, optional
        Type, text and traceback of what ended the code.
    """
    about = {
        "name": name,
        "host": platform.node(),
        "wall_ns": wall_ns,
        "error": error,
    }
    records = [json.dumps(about).encode()]
    if result is not None:
        records.append(result.to_json().encode())
    header = session, os.getpid(), os.getppid(), time.time_ns(), 1, 0, LAST
    return _core.write_snapshot(header, records)


def read(
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
        name=name or str(about["name"])[:100],
        state="finished" if error is None else "failed",
        until_ns=int(about["wall_ns"]),
        snapshots=1,
        note=note,
        kind=kind,
        host=str(about["host"])[:100],
    )
    return process, parse(records[1]) if len(records) > 1 else None, error


def absent(kind: str, name: str, state: str, note: str) -> Process:
    """Give one that has no figures, and say why."""
    line = (note.splitlines() or [""])[0][:200]
    return Process(pid=0, parent=0, name=name, state=state, note=line, kind=kind)
