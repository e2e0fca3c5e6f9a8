"""Shows a magic's run while it goes on: the one place that the magics use.

An engine knows nothing of it. In a kernel it is one display that the final result takes
the place of; in a terminal it is one line; anywhere else, and below two seconds, nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from .._core import leave_out_thread
from ..kernel import LeftOut
from ..options import Option, Parsed
from ..settings import LiveDisplay
from . import LIVE, view, view_waiting
from .progress import NOTHING, Progress, Watch
from .waiting import Waiting

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "NO_LIVE",
    "THREAD",
    "Live",
    "Watcher",
    "is_wanted",
    "live",
    "take_display",
]

NO_LIVE = Option(
    "no_live",
    ("--no-live",),
    "Show nothing while it runs, only the result. %config LiveDisplay.enabled = False does "
    "so always.",
)

# The name of the thread, by which profiles leave it out.
THREAD = LIVE

# An attribute of the shell: the display that waits for its result.
_WAITING = "_nbprobe_live"
_OFTEN_S = 0.2
_SELDOM_S = 0.5
_SELDOM_AFTER_S = 20.0
_GAP_S = 1.0  # later than due: the interpreter was not to be had
_JOIN_S = 2.0


_VIEWS: dict[type, Any] = {Progress: view, Waiting: view_waiting}


class _Target(Protocol):
    def begin(self) -> None: ...

    def show(self, magic: str, progress: Any) -> None: ...

    def end(self, note: str) -> None: ...


class Watcher(Protocol):
    """What knows how a run stands."""

    def progress(self) -> Progress | Waiting:
        """Say it."""

    def missed(self, seconds: float) -> None:
        """Take down that the interpreter was not to be had in the last seconds."""

    def close(self) -> None:
        """Watch no more; again does nothing."""


def live(
    shell: InteractiveShell,
    magic: str,
    *,
    wanted: bool = True,
    watcher: Watcher | None = None,
) -> Live:
    """Show how a magic's run stands, as long as the block takes that it is used with.

    Parameters
    ----------
    shell : InteractiveShell
        Where.
    magic : str
        As the user writes it: ``'%prun'``.
    wanted : bool
        False for nothing, as ``-q`` and ``--no-live`` say.
    watcher : Watcher, optional
        Knows how it stands; without, the thread that enters is looked at.
    """
    vars(shell).pop(_WAITING, None)
    settings = LiveDisplay.of(shell)
    target = _target(shell) if wanted and settings.enabled else None
    return Live(magic, target, settings.after, watcher)


def is_wanted(options: Parsed) -> bool:
    """Whether the user wants to see how it stands, and the result."""
    return not (options.quiet or options.no_live)


def take_display(shell: InteractiveShell) -> str:
    """Give the display that a result is to take the place of; empty when there is none."""
    target = vars(shell).pop(_WAITING, None)
    return target.display_id if target is not None else ""


def _target(shell: InteractiveShell) -> _Target | None:
    publisher: Any = shell.display_pub
    if shell.has_trait("kernel"):
        iostream = sys.modules.get("ipykernel.iostream")
        if iostream is None or not isinstance(sys.stdout, iostream.OutStream):
            return None  # %%capture and the like
        if not all(hasattr(publisher, name) for name in ("session", "pub_socket")):
            return None
        return _Notebook(shell)
    stderr = sys.__stderr__
    if stderr is not None and stderr.isatty() and sys.stdout.isatty():
        return _Terminal(stderr)
    return None


class _Notebook:
    """One display, made by the first update, under the cell that began it."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        publisher: Any = shell.display_pub
        self._publisher = publisher
        # Of the cell: a thread has none of its own, and may get that of a later cell.
        self._parent = publisher.parent_header
        self.display_id = f"nbprobe-{os.urandom(8).hex()}"
        self._is_there = False

    def begin(self) -> None:
        # What is needed for the first time is not to be part of what is measured.
        view.html("", NOTHING)

    def show(self, magic: str, progress: Any) -> None:
        shown = _VIEWS[type(progress)]
        self._send(
            {
                "text/plain": shown.text(magic, progress),
                "text/html": shown.html(magic, progress),
            }
        )

    def end(self, note: str) -> None:
        if self._is_there:
            vars(self._shell)[_WAITING] = self
            if note:
                self._send({"text/plain": note})

    def _send(self, data: dict[str, str]) -> None:
        kind = "update_display_data" if self._is_there else "display_data"
        content = {
            "data": data,
            "metadata": {},
            "transient": {"display_id": self.display_id},
        }
        publisher = self._publisher
        message = publisher.session.msg(kind, content, parent=self._parent)
        publisher.session.send(publisher.pub_socket, message, ident=publisher.topic)
        self._is_there = True


class _Terminal:
    """One line, rubbed out at the end."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_there = False

    def begin(self) -> None:
        pass

    def show(self, magic: str, progress: Any) -> None:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        line = _VIEWS[type(progress)].one(
            magic, progress, columns or 80
        )  # 0: it does not know
        encoding = self._stream.encoding or "ascii"
        line = line.encode(encoding, "replace").decode(encoding)
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()
        self._is_there = True

    def end(self, note: str) -> None:
        if self._is_there:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


class Live:
    """A run that is watched, from entering to leaving."""

    def __init__(
        self,
        magic: str,
        target: _Target | None,
        after: float,
        watcher: Watcher | None = None,
    ) -> None:
        self._left_out = LeftOut()
        self._magic = magic
        self._target = target
        self._after = after
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._watch = watcher
        self._thread: threading.Thread | None = None
        self._begin = 0.0

    def __enter__(self) -> Self:
        self._left_out.begin()
        if self._target is None:
            return self
        self._target.begin()
        self._begin = monotonic()
        if self._watch is None:
            self._watch = Watch(threading.get_ident())
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()
        self._ready.wait(_JOIN_S)
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._left_out.end()
        if self._thread is None or self._watch is None or self._target is None:
            return
        try:
            self._thread.join(_JOIN_S)
        finally:
            self._watch.close()
            note = ""
            if type is not None:
                seconds = monotonic() - self._begin
                note = f"{self._magic}: ended by {type.__name__} after {seconds:.1f} s"
            self._target.end(note)

    def _run(self) -> None:
        assert self._watch is not None and self._target is not None
        leave_out_thread()
        self._ready.set()
        wait = self._after
        while True:
            due = monotonic() + wait
            if self._stop.wait(wait):
                return
            late = monotonic() - due
            if late > _GAP_S:
                self._watch.missed(late)
            progress = self._watch.progress()
            if self._stop.is_set():
                return
            try:
                self._target.show(self._magic, progress)
            except (OSError, ValueError):
                return  # the terminal or the socket is gone
            wait = _OFTEN_S if progress.elapsed_s < _SELDOM_AFTER_S else _SELDOM_S
