"""In the profiled process: follow the processes that it starts, and collect from them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from .. import _core
from ..errors import ResultFileError
from ..results import Result
from . import child
from .messages import Message, latest
from .proc import command_of, descendants, is_alive, is_python, script
from .processes import Process

__all__ = ["Children", "Gathered", "search_path", "turned_away"]

# How often the kernel is asked which processes there are: it forgets those that ended.
_LOOK_S = 0.1
# A fork that is found so often is no passage to another program.
_LOOKS = 5
# For processes that live on, to take their last figures.
_LAST_WORDS_S = 5.0
_PATIENCE_MS = 2000
# What a process sent just before it ended may still be on its way.
_POST_S = 0.3
# sockaddr_un has 108 bytes on Linux and 104 on macOS.
_LONGEST_PATH = 100

# Stands first in the PYTHONPATH of child processes.
_BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot")
_OLD = "started before the profile"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the children of one profile gave.

    Attributes
    ----------
    processes : tuple of Process
        All Python processes that were seen, those that sent something first.
    results : tuple of (Process, Result)
        What they measured.
    others : int
        Processes of other programs that were seen.
    faults : int
        Messages that were damaged or of strangers.
    """

    processes: tuple[Process, ...] = ()
    results: tuple[tuple[Process, Result], ...] = ()
    others: int = 0
    faults: int = 0

    @classmethod
    def of(
        cls,
        messages: Iterable[Message],
        read: Callable[[Message], tuple[Process, Result | None]],
        faults: int,
    ) -> Self:
        """Read messages; what `read` refuses is one fault more."""
        processes = []
        results = []
        for message in messages:
            try:
                process, result = read(message)
            except (ValueError, ResultFileError):
                faults += 1
                continue
            processes.append(process)
            if result is not None:
                results.append((process, result))
        return cls(tuple(processes), tuple(results), faults=faults)


def turned_away(collector: _core.Collector) -> int:
    """Count the messages that a collector has not taken."""
    counts = collector.counts()
    return counts["faulty"] + counts["foreign"] + counts["refused"]


def search_path() -> str:
    """Give the PYTHONPATH with which processes attach as they start."""
    search = os.environ.get("PYTHONPATH")
    return os.pathsep.join([_BOOT, search] if search else [_BOOT])


@dataclass(slots=True)
class _Seen:
    """A process below this one, as the kernel tells of it."""

    parent: int
    is_old: bool  # it was there before the profile
    command: str = ""
    is_python: bool | None = None  # not known of one that ended at once
    looks: int = 0  # that found it with its present command


class Children:
    """The processes that are started between `start` and `stop`, and what they measure.

    Parameters
    ----------
    tool : str
        Which tool measures in them: ``'lprun'``, ``'memit'``, ``'prun'``.
    options : dict
        What its recorder is made with; plain data.
    use_socket : bool
        Receive through ZeroMQ. Without, and where no socket can be made, through files.

    Notes
    -----
    A child finds out what to do by the environment variable ``NBPROBE_CHILDREN``, and
    starts measuring before its first line by a ``sitecustomize`` module in ``PYTHONPATH``;
    a fork needs neither. All that is undone by `stop`. Processes that ran before are not
    attached to, nor are those started with ``python -I``, ``-E`` or ``-S`` or in an
    environment made from nothing: they are named as silent.
    """

    def __init__(
        self, tool: str, options: dict[str, Any], *, use_socket: bool = True
    ) -> None:
        self._tool = tool
        self._options = options
        self._use_socket = use_socket
        self._session = secrets.randbits(63)
        self._collector: _core.Collector | None = None
        self._folder = ""
        self._alive = -1
        self._environment: dict[str, tuple[str | None, str]] = {}
        self._seen: dict[int, _Seen] = {}
        self._programs: dict[int, int] = {}  # when the latest of a process began
        self._over = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch, name="nbprobe children", daemon=True
        )
        self._started_ns = 0
        self._damaged = 0  # of the messages
        self._own = 0  # of those that were turned away
        self._gathered: Gathered | None = None

    @property
    def own_threads(self) -> frozenset[int]:
        """Threads of this process that are not the user's, by ident."""
        return frozenset({self._watcher.ident or 0})

    def start(self, abandon: Callable[[], object]) -> None:
        """Follow what is started from now on.

        Parameters
        ----------
        abandon : callable
            Stops the recording of this process; called in its forks, which have a copy of
            it and need one of their own. See `child.ABANDON`.
        """
        self._started_ns = time.time_ns()
        self._folder = _new_folder()
        alive = os.path.join(self._folder, child.ALIVE)
        os.mkfifo(alive, 0o600)
        # For reading as well: opening for writing alone waits for a reader.
        self._alive = os.open(alive, os.O_RDWR | os.O_NONBLOCK)
        endpoint = self._open_socket()
        config = {
            "tool": self._tool,
            "options": self._options,
            "session": self._session,
            "endpoint": endpoint,
        }
        path = os.path.join(self._folder, child.CONFIG)
        with open(path, "x") as file:
            json.dump(config, file)

        def leave() -> object:
            """In a fork: it must not seem to its own children that the parent lives."""
            os.close(self._alive)
            return abandon()

        child.ABANDON[self._session] = leave
        child.follow()
        self._look(is_old=True)
        self._set(child.VARIABLE, self._folder)
        self._set("PYTHONPATH", search_path())
        self._watcher.start()

    @contextmanager
    def during(self, abandon: Callable[[], object]) -> Iterator[None]:
        """Follow what is started in a block, see `start`, and stop in any case."""
        self.start(abandon)
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> Gathered:
        """Follow no more; give what has been measured, and leave nothing behind.

        Once more it gives the same.
        """
        if self._gathered is None:
            self._gathered = self._stop()
        return self._gathered

    def _stop(self) -> Gathered:
        self._restore()
        child.ABANDON.pop(self._session, None)
        os.unlink(os.path.join(self._folder, child.CONFIG))
        os.close(self._alive)  # all children send what they have, and leave
        self._over.set()
        self._watcher.join()
        self._look()
        try:
            self._drain()
            return self._gather(self._last_words())
        finally:
            if self._collector is not None:
                self._collector.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open_socket(self) -> str:
        """Give the address of the collector; '' where there is none."""
        endpoint = f"ipc://{self._folder}/socket"
        if self._use_socket and len(endpoint) <= _LONGEST_PATH:
            try:
                self._collector = _core.Collector(endpoint, self._session)
            except OSError:
                return ""  # no sockets on that file system: through files then
            return endpoint
        return ""

    # What is changed in this process.

    def _set(self, name: str, value: str) -> None:
        self._environment[name] = os.environ.get(name), value
        os.environ[name] = value

    def _restore(self) -> None:
        for name, (before, ours) in self._environment.items():
            if os.environ.get(name) != ours:
                continue  # somebody else's by now
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before

    # Which processes there are.

    def _watch(self) -> None:
        _core.leave_out_thread()
        while not self._over.wait(_LOOK_S):
            self._look()

    def _look(self, *, is_old: bool = False) -> None:
        for pid, parent in descendants().items():
            seen = self._seen.setdefault(pid, _Seen(parent, is_old))
            # Both change when a fork becomes another program, and are gone at its end.
            if (command := command_of(pid)) and command != seen.command:
                seen.command, seen.looks = command, 0
            seen.looks += bool(command)
            if (answer := is_python(pid)) is not None:
                seen.is_python = answer

    # What they sent.

    def _messages(self) -> list[Message]:
        """Give the latest message of each process."""
        rows = [] if self._collector is None else self._collector.peers()
        # A child that was not connected in time has left a file.
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(".snapshot"):
                with open(os.path.join(self._folder, name), "rb") as file:
                    rows.append((0, 0, file.read(), 0, True))
        messages, self._damaged = latest(rows)
        for message in messages:
            before = self._programs.get(message.pid, 0)
            self._programs[message.pid] = max(before, message.started_ns)
        # A fork that became another program at once has done nothing else.
        return [
            message
            for message in messages
            if message.has_figures or not self._has_become_another(message)
        ]

    def _has_become_another(self, message: Message) -> bool:
        """Whether the process runs another program now than the one that has sent this."""
        seen = self._seen.get(message.pid)
        is_other = seen is not None and seen.is_python is False
        return is_other or message.started_ns < self._programs[message.pid]

    def _drain(self) -> None:
        """Wait until what has reached the socket is here: a word of our own comes after it.

        A process that has ended has sent its last word, but on a busy machine nobody may
        have looked at it yet.
        """
        if self._collector is None:
            return
        stranger = (self._session ^ 1, os.getpid(), 0, 1, 1, 0, child.LAST)
        courier = _core.Courier(self._collector.endpoint)
        try:
            end = time.monotonic() + _LAST_WORDS_S
            sent = courier.send(_core.write_snapshot(stranger, []), _PATIENCE_MS)
            while sent and not self._own and time.monotonic() < end:
                time.sleep(0.001)
                # It is turned away like any stranger's.
                self._own = min(self._collector.counts()["foreign"], 1)
        except KeyboardInterrupt:
            pass  # what is there is there
        finally:
            courier.close(0)

    def _last_words(self) -> list[Message]:
        """Wait until every process that lives has sent its last figures, or Ctrl-C."""
        start = time.monotonic()
        messages = self._messages()
        try:
            while True:
                waited = time.monotonic() - start
                unfinished = [
                    m.pid
                    for m in messages
                    if m.stage != child.LAST and not self._has_become_another(m)
                ]
                living = any(map(is_alive, unfinished))
                if not unfinished or waited > (_LAST_WORDS_S if living else _POST_S):
                    break
                time.sleep(0.005)
                messages = self._messages()
        except KeyboardInterrupt:
            pass  # what is there is there
        return messages

    def _gather(self, messages: list[Message]) -> Gathered:
        faults = self._damaged
        if self._collector is not None:
            faults += turned_away(self._collector) - self._own
        sent = Gathered.of(messages, self._open, faults)
        silent, others = self._silent({process.pid for process in sent.processes})
        return replace(sent, processes=(*sent.processes, *silent), others=others)

    def _open(self, message: Message) -> tuple[Process, Result | None]:
        name, taken_ns, _ = message.about(self._session)
        state = "running"
        if self._has_become_another(message):
            state = "finished"
        elif not is_alive(message.pid):
            state = "finished" if message.stage == child.LAST else "killed"
        process = Process(
            pid=message.pid,
            parent=message.parent,
            name=name,
            state=state,
            since_ns=message.started_ns - self._started_ns,
            until_ns=taken_ns - self._started_ns,
            snapshots=message.arrived,
            lost=message.lost,
            note=self._note(message.pid),
        )
        return process, message.result()

    def _silent(self, attached: set[int]) -> tuple[list[Process], int]:
        """Give the Python processes that sent nothing, and count other programs."""
        silent = []
        others = 0
        for pid, seen in self._seen.items():
            if pid in attached or not seen.command or self._was_becoming(seen):
                continue
            if seen.is_python is False:
                others += not seen.is_old
            elif not child.is_helper(seen.command) and (
                not seen.is_old or is_alive(pid)
            ):
                silent.append(
                    Process(
                        pid=pid,
                        parent=seen.parent,
                        name=script(seen.command),
                        state="silent",
                        note=_OLD if seen.is_old else self._note(pid),
                    )
                )
        return silent, others

    def _was_becoming(self, seen: _Seen) -> bool:
        """Whether a process was about to become another program when it was seen last.

        It had its parent's command then, as every fork has; one that does not attach, and
        is none, keeps it for longer.
        """
        if seen.is_old:
            return False
        if seen.parent == os.getpid():
            return seen.command == command_of(seen.parent)
        parent = self._seen.get(seen.parent)
        same = parent is not None and seen.command == parent.command
        return same and seen.looks < _LOOKS

    def _note(self, pid: int) -> str:
        try:
            with open(os.path.join(self._folder, f"{pid}.note")) as file:
                return file.read(500)
        except OSError:
            return ""


_folder = ""


def _new_folder() -> str:
    """Make the private folder, mode 0700, under the name that it had before."""
    global _folder
    if _folder:
        try:
            os.mkdir(_folder, 0o700)
        except OSError:
            pass  # somebody has taken the name, or another profile runs
        else:
            return _folder
    _folder = tempfile.mkdtemp(prefix="nbprobe-")
    return _folder
