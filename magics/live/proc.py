"""Which processes there are, as Linux's /proc says; elsewhere there seem to be none."""

from __future__ import annotations

import os

from .._core import process_children

__all__ = ["command_of", "descendants", "is_alive", "is_python", "script"]


def script(command: str) -> str:
    """The script or module in the command of an interpreter."""
    words = command.split(" ")
    after = words[1:]
    if "-m" in after[:-1]:
        return after[after.index("-m") + 1][:100]
    if "-c" in after:
        return "python -c"
    named = (os.path.basename(word) for word in after if not word.startswith("-"))
    return next(named, os.path.basename(words[0]))[:100]


def descendants() -> dict[int, int]:
    """Give all processes below this one with their parents; Linux only, else none."""
    found: dict[int, int] = {}
    ahead = [os.getpid()]
    while ahead:
        parent = ahead.pop()
        for pid in _children_of(parent):
            if pid not in found:
                found[pid] = parent
                ahead.append(pid)
    return found


def _children_of(pid: int) -> list[int]:
    try:
        return process_children(pid, False)
    except OSError:
        return []  # it has ended, or there is no /proc


def command_of(pid: int) -> str:
    """The words of a process's command; '' when it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def is_python(pid: int) -> bool | None:
    """Whether a process is an interpreter; None when it has ended.

    By its program: a command may name anything.
    """
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None
    return program.startswith(("python", "pypy"))


def is_alive(pid: int) -> bool:
    """Whether a process still runs: a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may hold anything, also parentheses.
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
