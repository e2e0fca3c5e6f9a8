"""The ``.dat`` files of a folder: which there are, and which is meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence

from ..errors import NbprobeError
from .recording import read

__all__ = ["NoRecordingError", "chosen", "existing", "named", "peak", "remove", "when"]


class NoRecordingError(NbprobeError):
    """There is no such recording."""


def existing() -> list[str]:
    """Give the recordings of the current folder, the oldest first."""
    return sorted(glob.glob("mprofile_??????????????.dat"))


def when(name: str) -> str:
    """Say when a recording was begun, by its name, as ``mprof list`` does."""
    digits = os.path.splitext(name)[0].rpartition("_")[2]
    hour, minute, second = digits[8:10], digits[10:12], digits[12:14]
    return f"{hour}:{minute}:{second} {digits[6:8]}/{digits[4:6]}/{digits[:4]}"


def named(words: Iterable[str]) -> list[str]:
    """Give the files that words mean: names, or numbers of the list, -1 the last.

    Raises
    ------
    NoRecordingError
        There is none of that name or number.
    """
    names: list[str] = []
    for word in words:
        name = word if os.path.isfile(word) else _numbered(word)
        if name not in names:
            names.append(name)
    return names


def _numbered(word: str) -> str:
    try:
        number = int(word)
    except ValueError:
        kind = "a folder" if os.path.isdir(word) else "not there"
        raise NoRecordingError(f"{word!a} is {kind}") from None
    files = existing()
    try:
        return files[number]
    except IndexError:
        there = f"0 to {len(files) - 1}" if files else "none"
        raise NoRecordingError(
            f"there is no recording {number} in this folder; there are: {there}"
        ) from None


def chosen(words: Sequence[str]) -> list[str]:
    """Give the files that words mean; without words the last recording."""
    if words:
        return named(words)
    files = existing()
    if not files:
        raise NoRecordingError(
            "there is no recording in this folder; nbprobe mprof run PROGRAM makes one"
        )
    print("Using last profile data.")
    return files[-1:]


def remove(names: Iterable[str], *, dry: bool) -> None:
    """Remove files, and the files of functions that old versions wrote beside them."""
    names = list(names)
    for name in list(names):
        stem, ending = os.path.splitext(name)
        beside = f"{stem}_ts{ending}"
        if os.path.isfile(beside) and beside not in names:
            names.append(beside)
    if dry:
        print("Files to be removed: ")
    for name in names:
        if dry:
            print(name)
        else:
            os.remove(name)


def peak(name: str, function: str | None) -> str:
    """Say how much memory was used at most, as ``mprof peak`` does."""
    recording = read(name)
    most = recording.peak_mib(function)
    # As that one writes a function that did not run.
    figure = "NaN" if most != most else f"{most:.3f}"
    lines = [f"{name}\t{figure} MiB"]
    if figure != "NaN":
        lines += [
            f"  Child {course.pid}\t\t\t{course.peak_mib:.3f} MiB"
            for course in recording.processes
        ]
    return "\n".join(lines)
