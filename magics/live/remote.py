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
from .engines import TOOLS
from .messages import Message, latest
from .processes import Process

if TYPE_CHECKING:
    from ..results import Result

__all__ = ["Collector"]

# A process whose connection has ended has as long to make another.
_RECONNECT_S = 2.0
# One that has sent nothing for so long is gone with its machine; a call of C that keeps
# the interpreter keeps its messages back too.
_SILENT_S = 60.0
# The options of each tool that measures there.
_TOOLS = {
    "lprun": ("memory", "targets"),
    "memit": ("native",),
    "prun": ("builtins", "memory", "tasks"),
}


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
    tool : {'prun', 'lprun', 'memit'}
        What to measure: calls, lines, or memory.
    **options
        Those of the tool, as its magic has them. Of prun: `builtins` (functions in C too;
        true unless told otherwise), `memory` and `tasks`. Of lprun: `memory`, and
        `targets`, pairs of a file there, or of a folder that ends in a slash, and of the
        qualified name of a function or class in it, or ``''`` for all; without it, what
        is installed nowhere is measured, as by ``%lprun`` here. Of memit: `native`.

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
        If the address is not of TCP, or there is no such tool, or it has no such option.
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
        tool: str = "prun",
        **options: Any,
    ) -> None:
        if not address.startswith("tcp://"):
            raise ValueError(
                f"{address!r} is no address of TCP, such as 'tcp://0.0.0.0:5555'; on one"
                " machine --children needs none"
            )
        self._tool = tool
        recorded = _recorded(tool, options)
        keys = _core.make_keys()
        self._session = secrets.randbits(63)
        self._collector = _core.Collector(address, self._session, keys)
        self._started_ns = time.time_ns()
        self.address = _reachable(self._collector.endpoint, host)
        config = {
            "tool": tool,
            "options": recorded,
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
        """Make one profile of what has arrived so far, as `live.profile` gives it.

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
        merging: Any = import_module(f"..{TOOLS[self._tool]}", __package__)
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
        patience_s = _SILENT_S if message.is_connected else _RECONNECT_S
        if message.stage == child.LAST:
            state = "finished"
        elif message.silent_ns > patience_s * 1e9:
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


def _recorded(tool: str, options: dict[str, Any]) -> dict[str, Any]:
    """Give what the recorder of a tool is made with, there.

    What recording costs is measured here: machines are alike enough, and no program there
    has to wait for it.
    """
    if tool not in _TOOLS:
        raise ValueError(f"tool must be one of {', '.join(_TOOLS)}, not {tool!r}")
    if unknown := options.keys() - set(_TOOLS[tool]):
        raise ValueError(
            f"{tool} takes {', '.join(_TOOLS[tool])}, not {', '.join(sorted(unknown))}"
        )
    if tool == "memit":
        return {"native": bool(options.get("native")), "profile": False}
    memory = bool(options.get("memory"))
    if tool == "lprun":
        from ..lprun.profiler import LineProfiler
        from ..lprun.recorder import options_for

        targets = options.get("targets")
        return options_for(LineProfiler(memory=memory), _pairs(targets))
    from ..prun.calibration import costs

    builtins = bool(options.get("builtins", True))
    return {
        "builtins": builtins,
        "costs": costs(builtins),
        "memory": memory,
        "tasks": bool(options.get("tasks")),
    }


def _pairs(targets: Any) -> list[tuple[str, str]] | None:
    """Check what is to be measured there, of which nothing need be here."""
    if targets is None:
        return None
    pairs = [] if isinstance(targets, str) else [tuple(pair) for pair in targets]
    if not pairs or not all(
        len(pair) == 2
        and all(isinstance(word, str) for word in pair)
        and pair[0].startswith("/")
        for pair in pairs
    ):
        raise ValueError(
            "targets are pairs of an absolute path there and a name in it, such as"
            f" [('/srv/job/', '')], not {targets!r}"
        )
    return [(path, name) for path, name in pairs]


def _reachable(endpoint: str, host: str) -> str:
    """Give the address as others write it, who cannot connect to "all interfaces"."""
    name, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    if host or name in ("0.0.0.0", "*", "[::]"):
        name = host or socket.gethostname()
    return f"tcp://{name}:{port}"
