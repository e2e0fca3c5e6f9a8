"""``mprof run`` and ``attach``: look at a process and write a ``.dat`` file meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from ..errors import NbprobeError
from ..options import OptionError, Parsed
from . import processes
from .recording import child_line, command_line, memory_line
from .stamped import CHILDREN
from .watch import Watch

__all__ = ["attach", "run"]

_HOUR_S = 3600.0


def run(options: Parsed) -> int:
    """Start a program, record it, and give the exit code that is ours."""
    if options.attach:
        return attach(options)
    program = list(options.arguments)
    path = _path(options)
    command = _joined(program)
    print(f"mprof: Sampling memory every {options.interval}s\nrunning new process")
    if _is_python(program, options):
        program, command = _as_python(program, path, options)
    _begin_anew(path)
    try:
        process = subprocess.Popen(program)
    except OSError as error:
        raise NbprobeError(f"{program[0]!a} does not start: {error.strerror}") from None
    started = _Started(process)
    with _opened(path) as file:
        file.write(command_line(command))
        try:
            _record(process.pid, file, options, options.timeout, started)
            code = started.wait()
        except KeyboardInterrupt:
            # The terminal has sent it to the program too, which may need a moment.
            code = started.wait()
        last = started.peak_mib()
        if last is not None:
            file.write(memory_line(last, started.ended_s))
    print(f"mprof: {path}")
    if not options.exit_code:
        return 0
    if code:
        print(f"Program resulted with a non-zero exit code: {code}", file=sys.stderr)
    # As shells give the signal that ended a program.
    return 128 - code if code < 0 else code


def attach(options: Parsed) -> int:
    """Record a process that runs."""
    word = options.arguments[0]
    print(f"mprof: Sampling memory every {options.interval}s")
    print(f"attaching to existing process, using hint: {word}")
    pid = int(word) if word.isdigit() else processes.find(word)
    if pid is None:
        raise NbprobeError(f"there is no process whose name has {word!a} in it")
    watch = _watch(pid, options)
    watch.look()  # so that nothing is written when there is no such process
    path = _path(options)
    _begin_anew(path)
    with _opened(path) as file:
        file.write(command_line(_joined(processes.command(pid)) or word))
        try:
            _record(pid, file, options, options.timeout or _HOUR_S)
        except KeyboardInterrupt:
            pass
    print(f"mprof: {path}")
    return 0


class _Started:
    """A program that we started: whether it has ended, and how much it used at most."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        # What a child has used at most begins with what we have, because it begins as us.
        # Not our own ru_maxrss, which began as that of whatever started us.
        self._ours = processes.resident(os.getpid()).peak // 1024
        self._most = 0
        self.ended_s = 0.0
        self.highest_mib = 0.0

    def has_ended(self) -> bool:
        return self._reap(os.WNOHANG)

    def _reap(self, flags: int) -> bool:
        if self._process.returncode is None:
            pid = self._process.pid
            try:
                # Left waiting, because it is gone once it was waited for.
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | flags) is None:
                    return False
                has_waited = processes.has_waited_for_children(pid)
                _, status, usage = os.wait4(pid, 0)
            except ChildProcessError:
                self._process.returncode = 0
                return True
            self._process.returncode = os.waitstatus_to_exitcode(status)
            # The larger of its own and the largest of those that it has waited for.
            self._most = 0 if has_waited else usage.ru_maxrss
            self.ended_s = time.time()
        return self._process.returncode is not None

    def wait(self) -> int:
        while not self.has_ended():
            try:
                self._reap(0)
            except KeyboardInterrupt:
                continue
        return int(self._process.returncode)

    def peak_mib(self) -> float | None:
        """Give what it used at most, MiB, if that is known and more than was seen."""
        peak = self._most / 1024
        if self._most <= self._ours or peak <= self.highest_mib + 0.01:
            return None
        return peak


def _record(
    pid: int,
    file: IO[str],
    options: Parsed,
    timeout_s: float | None,
    started: _Started | None = None,
) -> None:
    watch = _watch(pid, options)
    ended = started.has_ended if started else lambda: False
    looks = watch.looks(options.interval, timeout_s=timeout_s, ended=ended)
    try:
        for sample in looks:
            if sample.missed:
                file.write(memory_line(*sample.missed))
            file.write(memory_line(sample.mib, sample.time_s))
            for child, mib in sample.children:
                file.write(child_line(child, mib, sample.time_s))
            if started:
                started.highest_mib = max(started.highest_mib, sample.most)
    except processes.ProcessError:
        if started is None or not started.has_ended():
            raise


def _watch(pid: int, options: Parsed) -> Watch:
    return Watch(
        pid,
        options.backend,
        include_children=options.include_children,
        multiprocess=options.multiprocess,
    )


def _path(options: Parsed) -> str:
    name = time.strftime("mprofile_%Y%m%d%H%M%S.dat", time.localtime())
    return str(options.output or name)


def _begin_anew(path: str) -> None:
    """Make way for a recording: an earlier one is replaced, anything else is not.

    The program and we add to the file. To a recording that is there mprof adds another,
    and takes both for one when it reads them.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(16)
    except FileNotFoundError:
        return
    if not begin:
        return
    if not begin.startswith((b"CMDLINE ", b"MEM ", b"FUNC ", b"CHLD ")):
        raise NbprobeError(
            f"{path!a} is there, and is no recording of mprof: choose another name for -o"
        )
    print(f"mprof: the recording in {path} is replaced")
    _opened(path, "w").close()


def _opened(path: str, mode: str = "a") -> IO[str]:
    # Whole lines at a time: the program itself appends its functions to the same file.
    return open(path, mode, buffering=1, encoding="utf-8")


def _joined(words: Sequence[str]) -> str:
    """Write a command line as ``mprof`` does."""
    return " ".join(f"'{word}'" if {" ", "\t"} & set(word) else word for word in words)


def _is_python(program: Sequence[str], options: Parsed) -> bool:
    if options.python and options.nopython:
        raise OptionError("--python and --nopython: choose one")
    return bool(options.python or (program[0].endswith(".py") and not options.nopython))


def _as_python(program: list[str], path: str, options: Parsed) -> tuple[list[str], str]:
    """Give what to start, and what to call it."""
    if not os.path.basename(program[0]).startswith("python"):
        program = [sys.executable, *program]
    command = _joined(program)
    children = CHILDREN if options.include_children else "alone"
    flags = ["-m", "nbprobe.memit.stamped", path, children]
    return [program[0], *flags, *program[1:]], command
