"""Collect the profiles of processes on other machines, over TCP and encrypted."""

from __future__ import annotations

import json
import secrets
import socket
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from .. import _core
from ..errors import NbprobeError
from . import child
from .children import Gathered, search_path, turned_away
from .messages import Message, latest
from .processes import Process

if TYPE_CHECKING:
    from ..results import Result

__all__ = ["Collector"]

# A process that has sent nothing for so long has ended without a last word.
_SILENT_S = 5.0


class Collector:
    """Receives what Python processes on other machines measure.

    Nothing is sent in the clear: the collector has a pair of keys (CURVE), and lets in
    only who has the one other pair, which is made anew each time and is part of the
    environment that it gives. Keep that environment as you keep a password.

    Parameters
    ----------
    address : str
        Where to listen: ``tcp://`` with an interface or its address, and a port; ``*`` is
        any.
    host : str, optional
        The name under which this machine is found by the others; needed when `address` is
        that of all interfaces and the machine's own name will not do.
    builtins : bool
        Record functions in C too.

    Attributes
    ----------
    address : str
        Where it listens, for others.
    environment : dict of str to str
        What a process needs to have in its environment to be profiled. With nbprobe
        installed at the same path as here that is all; elsewhere its program calls
        `nbprobe.live.attach` first.

    Raises
    ------
    ValueError
        If the address is not of TCP.
    OSError
        If it cannot be bound.

    Examples
    --------
    >>> import os, subprocess, sys
    >>> with Collector() as collector:
    ...     environment = os.environ | collector.environment
    ...     done = subprocess.run([sys.executable, "-c", "sum(range(9))"], env=environment)
    ...     result = collector.result()
    >>> len(result.processes)
    1

    See Also
    --------
    ``%prun --children``, which follows the processes of this machine by itself.
    """

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:*",
        *,
        host: str = "",
        builtins: bool = True,
    ) -> None:
        if not address.startswith("tcp://"):
            raise ValueError(
                f"{address!r} is no address of TCP, such as 'tcp://0.0.0.0:5555'; on one"
                " machine --children needs none"
            )
        from ..prun.calibration import costs

        keys = _core.make_keys()
        self._session = secrets.randbits(63)
        self._collector = _core.Collector(address, self._session, keys)
        self._started_ns = time.time_ns()
        self.address = _reachable(self._collector.endpoint, host)
        config = {
            "tool": "prun",
            "options": {"builtins": builtins, "costs": costs(builtins)},
            "session": self._session,
            "endpoint": self.address,
            "keys": [keys[0], *keys[2:]],
        }
        self.environment = {
            child.REMOTE: json.dumps(config),
            "PYTHONPATH": search_path(),
        }

    def gathered(self) -> Gathered:
        """Give what has arrived so far, process by process."""
        messages, damaged = latest(self._collector.peers())
        faults = damaged + turned_away(self._collector)
        return Gathered.of(messages, self._open, faults)

    def result(self) -> Result:
        """Make one profile of what has arrived so far.

        Raises
        ------
        NbprobeError
            Nothing has.
        """
        gathered = self.gathered()
        if not gathered.results:
            raise NbprobeError(
                f"no process has sent figures to {self.address};"
                f" {self.denied} connections without the right key"
            )
        merging: Any = import_module("..prun.merging", __package__)
        wall_ns = time.time_ns() - self._started_ns
        result: Result = merging.together(gathered, "", wall_ns)
        return result

    @property
    def denied(self) -> int:
        """How many connections were turned away: they had no key, or a wrong one."""
        return self._collector.counts()["denied"]

    def close(self) -> None:
        """Receive no more, and forget what has arrived."""
        self._collector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, message: Message) -> tuple[Process, Result | None]:
        name, taken_ns, host = message.about(self._session)
        state = "running"
        if message.stage == child.LAST:
            state = "finished"
        elif time.time_ns() - taken_ns > _SILENT_S * 1e9:
            state = "killed"
        process = Process(
            pid=message.pid,
            parent=message.parent,
            # Containers number their processes alike.
            name=f"{name} ({message.pid}, {host})",
            state=state,
            since_ns=message.started_ns - self._started_ns,
            until_ns=taken_ns - self._started_ns,
            snapshots=message.arrived,
            lost=message.lost,
            kind="worker",
            host=host,
        )
        return process, message.result()


def _reachable(endpoint: str, host: str) -> str:
    """Give the address as others write it, who cannot connect to "all interfaces"."""
    name, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    if host or name in ("0.0.0.0", "*", "[::]"):
        name = host or socket.gethostname()
    return f"tcp://{name}:{port}"
