"""In a child process: measure, and send what was measured so far to the parent.

Cumulative figures go out every quarter of a second, when the profile ends, and when the
process does, so that one which is killed is missing no more than its last moments.
Nothing here ever waits for the parent, except for a fraction of a second at the very end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from .. import _core
from ..results import Result
from .hooks import Hooks, real_close

__all__ = [
    "ABANDON",
    "ALIVE",
    "CONFIG",
    "LAST",
    "REMOTE",
    "VARIABLE",
    "Recorder",
    "attach",
    "boot",
    "follow",
    "is_helper",
]

#: The environment variable that names the private folder of the profiled process. The
#: folder is there only while a profile runs; its name stays the same, because processes
#: such as multiprocessing's fork server keep the environment of the first profile.
VARIABLE = "NBPROBE_CHILDREN"
#: The one that says to whom to send from another machine. It holds a secret key.
REMOTE = "NBPROBE_COLLECTOR"
#: Files there: what to do; and a pipe that nobody writes to, which ends with the profile.
CONFIG = "config.json"
ALIVE = "alive"

# Seconds between two messages; longer where taking a snapshot is dear, so that it costs
# no more than a fiftieth of the time.
_PERIOD = 0.25
_DEAREST_SHARE = 0.02
_HELLO_PATIENCE_MS = 50
_LAST_PATIENCE_MS = 300
_TERM_PATIENCE_MS = 1500
# A network may be away for a while; a collector that is away for longer has ended.
_CUT_S = 30.0

_HELLO, _PART, LAST = 1, 2, 3


class Recorder(Protocol):
    """What measures for one tool in a child process."""

    def start(self) -> None:
        """Begin; not called twice."""

    def stop(self) -> None:
        """Record no more, at once; the result stays."""

    def close(self) -> None:
        """Leave nothing switched on, in a process that outlives the profile."""

    def abandon(self) -> object:
        """In a fork: what was recorded is the parent's; see `ABANDON`."""

    def result(self, ignored_threads: frozenset[int]) -> Result:
        """Give what was measured so far, without these threads, which are ours."""


# The only classes that a configuration can name; nothing is imported because it says so.
_RECORDERS = {
    "lprun": ("lprun.recorder", "LineRecorder"),
    "memit": ("memit.recorder", "MemoryRecorder"),
    "prun": ("prun.recorder", "CallRecorder"),
}

# Processes that do no work of the user's, by the command that starts them. The trackers
# never do; the fork server does after it has forked.
_TRACKER = "resource_tracker import main"
_FORK_SERVER = "from multiprocessing.forkserver import main"


class _Post:
    """Hands messages to the parent: through its socket, or into its private folder.

    A process that ends before it is connected has the folder, and so has one on a system
    without sockets.
    """

    #: The parent's end is seen by the pipe.
    is_cut = False

    def __init__(self, folder: str, endpoint: str, started_ns: int) -> None:
        self._path = os.path.join(folder, f"{os.getpid()}-{started_ns}")
        self._latest = b""
        self._courier: _core.Courier | None = None
        if endpoint:
            try:
                self._courier = _core.Courier(endpoint)
            except OSError:
                pass  # the parent looks for files as well

    def send(self, message: bytes, patience_ms: int) -> bool:
        """Say whether the message is on its way; without patience it may be dropped."""
        self._latest = message
        if self._courier is not None:
            if self._courier.send(message, patience_ms):
                return True
            if not patience_ms:
                return False
        return self._write(message)

    def leave(self, message: bytes) -> int:
        """Put it where it is found, at once; give how many did not go by the socket."""
        self._write(message)
        return 1

    def _write(self, message: bytes) -> bool:
        try:
            with open(self._path + ".part", "wb") as file:
                file.write(message)
            os.replace(self._path + ".part", self._path + ".snapshot")
        except OSError:
            return False
        return True

    def close(self, patience_ms: int) -> None:
        """Wait so long for what is on its way; what is still then goes into the folder."""
        if self._courier is not None:
            begin = time.monotonic()
            self._courier.close(patience_ms)
            if (time.monotonic() - begin) * 1000 >= patience_ms:
                self._write(self._latest)


class _Wire:
    """Hands messages to a collector on another machine, and to nobody else."""

    def __init__(self, endpoint: str, keys: tuple[str, str, str, str]) -> None:
        self._to = endpoint, keys
        self._courier = _core.Courier(endpoint, keys)
        self._heard = time.monotonic()

    @property
    def is_cut(self) -> bool:
        """Whether nobody has been there for so long that the profile must be over."""
        return time.monotonic() - self._heard > _CUT_S

    def send(self, message: bytes, patience_ms: int) -> bool:
        sent = self._courier.send(message, patience_ms)
        if sent:
            self._heard = time.monotonic()
        return sent

    def leave(self, message: bytes) -> int:
        """Send it, and wait until it has left; give how many were not sent."""
        sent = self.send(message, _LAST_PATIENCE_MS)
        self.close(_LAST_PATIENCE_MS)
        self._courier = _core.Courier(*self._to)
        return not sent

    def close(self, patience_ms: int) -> None:
        self._courier.close(patience_ms)


class _Reporter:
    """Measures in this process, and reports until it ends or the profile does."""

    def __init__(self, folder: str, config: dict[str, Any]) -> None:
        self._config = config
        self._host = config.get("keys") and socket.gethostname()
        self._started_ns = time.time_ns()
        self._sequence = 0
        self._dropped = 0
        self._is_over = False
        self._lock = threading.Lock()  # of what follows, and of the end
        self._recorder = _new_recorder(config)
        self._hooks = Hooks(_finish, self.leave_word, config["endpoint"])
        self._post: _Post | _Wire
        if config.get("keys"):
            server, own, secret = config["keys"]
            # What would be the collector's secret key is needed by nobody here.
            self._post = _Wire(config["endpoint"], (server, server, own, secret))
            self._alive = -1
        else:
            self._post = _Post(folder, config["endpoint"], self._started_ns)
            pipe = os.path.join(folder, ALIVE)
            self._alive = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._term_read, self._term_write = os.pipe()
        self._thread = threading.Thread(
            target=self._work, name="nbprobe reporter", daemon=True
        )

    def start(self) -> None:
        _core.take_sigterm(self._term_write, _TERM_PATIENCE_MS)
        self._thread.start()
        with self._lock:
            self._send(_HELLO, None, _HELLO_PATIENCE_MS)
        self._hooks.install((self._alive, self._term_read, self._term_write))
        self._recorder.start()

    def finish(self) -> None:
        """Send the last word; once more does nothing."""
        # The thread may hold the lock for as long as a snapshot takes, or, in a fork that
        # we know nothing of, for ever.
        if self._lock.acquire(timeout=1):
            try:
                if not self._is_over:
                    self._is_over = True
                    self._recorder.stop()
                    self._report(LAST, _LAST_PATIENCE_MS)
                    self._post.close(_LAST_PATIENCE_MS)
            finally:
                self._lock.release()

    def leave_word(self) -> None:
        """Send all there is: the process becomes another program, if that is there."""
        if self._lock.acquire(timeout=1):
            try:
                if not self._is_over:
                    result = self._recorder.result(self._ignored())
                    self._dropped += self._post.leave(self._message(LAST, result))
            except Exception as error:
                _leave_note(os.environ.get(VARIABLE, ""), error)
            finally:
                self._lock.release()

    def abandon(self) -> object:
        """Stop what a fork has inherited; its thread and its sockets are not here."""
        self._hooks.remove()
        for descriptor in (self._alive, self._term_read, self._term_write):
            if descriptor >= 0:
                real_close(descriptor)
        return self._recorder.abandon()

    def _work(self) -> None:
        _core.leave_out_thread()
        pause = _PERIOD
        waiting = [each for each in (self._alive, self._term_read) if each >= 0]
        while True:
            ready, _, _ = select.select(waiting, [], [], pause)
            if self._is_over:
                return
            if self._term_read in ready:
                self.finish()
                signal.raise_signal(signal.SIGTERM)
            if self._alive in ready or self._post.is_cut:
                self.finish()
                self._recorder.close()
                _core.release_sigterm()
                self._hooks.remove()
                return
            start = time.thread_time()
            with self._lock:
                if not self._is_over:
                    self._report(_PART, 0)
                    self._hooks.find_connection()
            pause = max(_PERIOD, (time.thread_time() - start) / _DEAREST_SHARE)

    def _ignored(self) -> frozenset[int]:
        return frozenset({self._thread.ident or 0})

    def _report(self, stage: int, patience_ms: int) -> None:
        self._send(stage, self._recorder.result(self._ignored()), patience_ms)

    def _send(self, stage: int, result: Result | None, patience_ms: int) -> None:
        if not self._post.send(self._message(stage, result), patience_ms):
            self._dropped += 1

    def _message(self, stage: int, result: Result | None) -> bytes:
        about = {"name": _process_name(), "taken_ns": time.time_ns()}
        if self._host:
            about["host"] = self._host
        records = [json.dumps(about).encode()]
        if result is not None:
            records.append(result.to_json().encode())
        self._sequence += 1
        session = self._config["session"]
        header = (
            session,
            os.getpid(),
            os.getppid(),
            self._started_ns,
            self._sequence,
            self._dropped,
            stage,
        )
        return _core.write_snapshot(header, records)


def _new_recorder(config: dict[str, Any]) -> Recorder:
    module, name = _RECORDERS[config["tool"]]
    recorder = getattr(import_module(f"..{module}", __package__), name)
    return recorder(config["options"])  # type: ignore[no-any-return]


def _process_name() -> str:
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        current = processes.current_process()
        if current.name != "MainProcess":
            return str(current.name)
    module = sys.modules.get("__main__")
    spec = getattr(module, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"


#: By session: what stops the recording that a fork of the profiled process inherits. It
#: may be left to the recorder of the fork; then this gives what ends it without one.
ABANDON: dict[int, Callable[[], object]] = {}

_reporter: _Reporter | None = None
_is_following = False


def boot() -> None:
    """Start in a process that began with an interpreter of its own."""
    command = " ".join(sys.orig_argv)
    if _TRACKER in command:
        return
    follow()
    if not is_helper(command):
        _start()


def is_helper(command: str) -> bool:
    """Whether a process, by its command, does no work of the user's."""
    return _TRACKER in command or _FORK_SERVER in command


def follow() -> None:
    """From now on, start in every process that this one forks; once more does nothing.

    `os.register_at_fork` has no opposite: what stays is one look at the environment in
    each later fork.
    """
    global _is_following
    if not _is_following:
        _is_following = True
        os.register_at_fork(after_in_child=_start)


def _start() -> None:
    """Start in this process if a profile runs."""
    global _reporter
    caller = sys._getframe(1)
    if (
        caller.f_code.co_name == "_execute_child"
        and caller.f_globals.get("__name__") == "subprocess"
    ):
        return  # for its `preexec_fn`: it becomes another program at once
    inherited, _reporter = _reporter, None
    folder = os.environ.get(VARIABLE, "")
    try:
        left = [abandon() for abandon in ABANDON.values()]
        ABANDON.clear()
        if inherited is not None:
            left.append(inherited.abandon())
        config = _configuration(folder)
        if config is None:
            for end in filter(callable, left):
                end()
            return  # no profile runs any more
        _reporter = _Reporter(folder, config)
        _reporter.start()
    except Exception as error:
        _reporter = None
        _leave_note(folder, error)


def _configuration(folder: str) -> dict[str, Any] | None:
    """Give what to do: of the profile on this machine, else of a collector elsewhere."""
    config: dict[str, Any]
    if folder:
        try:
            with open(os.path.join(folder, CONFIG), "rb") as file:
                config = json.load(file)
        except OSError:
            pass  # that profile is over
        else:
            return config
    if REMOTE not in os.environ:
        return None
    try:
        config = json.loads(os.environ[REMOTE])
    except ValueError as error:
        raise ValueError(f"{REMOTE} is damaged: {error}") from None
    if not isinstance(config, dict) or not config.get("keys"):
        raise ValueError(f"{REMOTE} has no keys")
    return config


def attach() -> None:
    """Measure this process, and those that it forks, for a `Collector` elsewhere.

    What to measure and where to send it is in the environment, see
    `Collector.environment`; without that it does nothing, and neither does it once more.
    """
    if REMOTE in os.environ and _reporter is None:
        follow()
        _start()


def _leave_note(folder: str, error: Exception) -> None:
    """Tell the parent why this process is not profiled, or who reads what it prints.

    A collector on another machine cannot be told.
    """
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        if folder:
            with open(os.path.join(folder, f"{os.getpid()}.note"), "x") as file:
                file.write(reason)
        elif sys.stderr is not None:
            print(f"nbprobe: this process is not profiled: {reason}", file=sys.stderr)
    except (OSError, ValueError):
        pass  # the profile is over, or nobody reads


def _finish() -> None:
    global _reporter
    reporter, _reporter = _reporter, None
    if reporter is not None:
        try:
            reporter.finish()
        except Exception as error:
            _leave_note(os.environ.get(VARIABLE, ""), error)
