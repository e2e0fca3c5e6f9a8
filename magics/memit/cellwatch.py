"""What each cell does to memory, and cells that take too much: between a shell's events."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .._core import ALLOCATIONS_EXACT, Allocations, ResidentPeak, resident
from ..errors import NbprobeError
from ..graphs import asizesof, flatsize
from ..kernel import LeftOut
from ..source import is_users_file
from ..views import units
from ..views.names import one_line
from ..views.tables import Column, Table

__all__ = ["CellWatch", "Limit", "MemoryLimit"]

_LOOK_S = 0.02
_PATIENCE_S = 1.0
_WORST = 10

# Variables that are named: above so many bytes, and so many. With more blocks than that in
# the process, what they lead to is not followed: remembering it would take memory too.
_LARGE = 2**20
_NAMED = 5
_FOLLOWED = 20_000_000


class MemoryLimit(NbprobeError, MemoryError):
    """A cell has taken more memory than ``%memlimit`` allows."""


@dataclass(frozen=True, slots=True)
class CellMemory:
    """What one cell did: bytes, seconds."""

    number: int
    code: str
    seconds: float
    resident_change: int
    peak: int
    allocated: int
    kept: int

    @property
    def line(self) -> str:
        """It in one line."""
        return (
            f"[{self.number}] {units.seconds(self.seconds)}, resident"
            f" {units.change(self.resident_change)} (peak {units.change(self.peak)}),"
            f" allocated {units.memory(self.allocated)}, kept {units.change(self.kept)}"
        )


class CellWatch:
    """Measures every cell of a shell from one event to the next.

    Parameters
    ----------
    shell : object
        With IPython's ``events``.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._left_out = LeftOut()
        self._open: tuple[ResidentPeak, Allocations, float, str] | None = None
        self.cells: list[CellMemory] = []

    def on(self) -> None:
        """Begin, with the next cell."""
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)

    def off(self) -> None:
        """End, and leave nothing behind."""
        for event, callback in (
            ("pre_run_cell", self._before),
            ("post_run_cell", self._after),
        ):
            self._shell.events.unregister(event, callback)
        self._close()

    def _close(self) -> tuple[ResidentPeak, Allocations, float, str] | None:
        opened, self._open = self._open, None
        if opened is not None:
            opened[1].stop()
            opened[0].stop()
        self._left_out.end()
        return opened

    def _before(self, info: Any) -> None:
        self._close()
        counted, peak = Allocations(ALLOCATIONS_EXACT), ResidentPeak()
        self._open = peak, counted, time.perf_counter(), info.raw_cell or ""
        self._left_out.begin()
        peak.start()
        counted.start()

    def _after(self, result: Any) -> None:
        opened = self._close()
        if opened is None:
            return
        peak, counted, start, code = opened
        cell = CellMemory(
            number=result.execution_count or 0,
            code=code,
            seconds=time.perf_counter() - start,
            resident_change=resident() - peak.start_bytes,
            peak=peak.peak_bytes - peak.start_bytes,
            allocated=counted.allocated_bytes,
            kept=counted.current_bytes,
        )
        self.cells.append(cell)
        print(cell.line)

    def table(self) -> Table:
        """Give the worst cells, the highest peak first."""
        worst = sorted(self.cells, key=lambda cell: -cell.peak)
        rows = tuple(
            (
                f"[{cell.number}]",
                units.seconds(cell.seconds),
                units.change(cell.peak),
                units.change(cell.resident_change),
                units.memory(cell.allocated),
                units.change(cell.kept),
                one_line(cell.code, 60),
            )
            for cell in worst[:_WORST]
        )
        columns = (
            Column("cell"),
            Column("time", "right"),
            Column("peak", "right"),
            Column("resident", "right"),
            Column("allocated", "right"),
            Column("kept", "right"),
            Column("code", code=True),
        )
        return Table(columns, rows, max(0, len(worst) - _WORST))


class Limit:
    """Interrupts a cell that takes more resident memory than it may.

    A thread looks every 20 ms while a cell runs. The error is raised by the handler of
    Ctrl-C, hence between two instructions of Python code in the main thread: a single call
    of C code has to return first, and the thread says so when it takes long.
    """

    def __init__(self, shell: Any, limit: int) -> None:
        self._shell = shell
        self.limit = limit
        self._seen = 0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._handler: Any = None

    def on(self) -> None:
        """Begin, with the next cell."""
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)

    def off(self) -> None:
        """End, and leave nothing behind."""
        self._shell.events.unregister("pre_run_cell", self._before)
        self._shell.events.unregister("post_run_cell", self._after)
        self._after(None)

    def _before(self, _: Any) -> None:
        self._after(None)
        if threading.current_thread() is not threading.main_thread():
            return
        self._seen = 0
        self._done = threading.Event()
        self._handler = signal.signal(signal.SIGINT, self._interrupted)
        self._thread = threading.Thread(
            target=self._look, name="nbprobe memlimit", daemon=True
        )
        self._thread.start()

    def _after(self, _: Any) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._done.set()
        thread.join()
        if signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, self._handler)

    def _look(self) -> None:
        done = self._done
        while not done.wait(_LOOK_S):
            used = resident()
            if used > self.limit:
                self._seen = used
                os.kill(os.getpid(), signal.SIGINT)
                break
        else:
            return
        if not done.wait(_PATIENCE_S) and self._seen:
            print(
                f"%memlimit: {units.memory(self._seen)} is over the limit; what runs is"
                " one call of C code, which can be interrupted only when it returns",
                file=sys.stderr,
            )

    def _interrupted(self, number: int, frame: FrameType | None) -> Any:
        seen, self._seen = self._seen, 0
        if seen:
            raise MemoryLimit(self._report(seen, frame))
        if callable(self._handler):
            return self._handler(number, frame)
        raise KeyboardInterrupt

    def _report(self, seen: int, frame: FrameType | None) -> str:
        variables = [*_locals(frame), *self._variables()]
        sizes = _sizes([value for _, value in variables])
        largest = sorted(
            zip(sizes, (name for name, _ in variables), strict=True), reverse=True
        )
        text = f"{units.memory(seen)} resident, the limit is {units.memory(self.limit)}"
        named = [
            f"{one_line(name, 60)} ({units.memory(size)})"
            for size, name in largest[:_NAMED]
            if size >= _LARGE
        ]
        return text + (f"; largest variables: {', '.join(named)}" if named else "")

    def _variables(self) -> list[tuple[str, Any]]:
        hidden = self._shell.user_ns_hidden
        return [
            (name, value)
            for name, value in list(self._shell.user_ns.items())
            if name not in hidden and not name.startswith("_")
        ]


def _locals(frame: FrameType | None) -> list[tuple[str, Any]]:
    """Give the local variables of the user's functions that run, the innermost first."""
    found = []
    while frame is not None:
        code = frame.f_code
        if code.co_flags & inspect.CO_OPTIMIZED and is_users_file(code.co_filename):
            named = frame.f_locals.items()
            found += [(f"{name} in {code.co_name}", value) for name, value in named]
        frame = frame.f_back
    return found


def _sizes(values: list[Any]) -> list[int]:
    """Give the bytes of variables with all that they lead to; none of their code runs.

    What several of them lead to is the first one's.
    """
    if sys.getallocatedblocks() < _FOLLOWED:
        try:
            return list(asizesof(*values))
        except MemoryError:
            pass
    return list(map(flatsize, values))
