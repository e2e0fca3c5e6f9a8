"""The text of files: what was read, kept in memory or in a loader, or is on the disk."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import time
import tokenize
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

__all__ = ["is_kept", "is_made_up", "known_text", "lines_of", "texts_of"]


def lines_of(text: str) -> list[str]:
    """Split source as Python counts its lines: a form feed, say, ends none."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def known_text(code: CodeType) -> str:
    """Give the text of a code's file, if it is sure without comparing that it is that.

    It is sure of a cell, and of a file that nobody has changed since this process began;
    of anything else the text is empty here, and `source_of` finds out.
    """
    file = code.co_filename
    if is_kept(file):
        text = _cached_text(file, None)
        return text if _may_begin(code, text) else ""
    if not os.path.isabs(file):
        return ""
    try:
        state = os.stat(file)
        if state.st_ctime_ns >= _STARTED_NS:
            return ""
        return _read(file, state.st_mtime_ns, state.st_size)
    except (OSError, UnicodeError, SyntaxError, ValueError):
        return ""


#: Code of a whole text, which begins on any line.
_MODULES = ("module", "cell")


def _may_begin(code: CodeType, text: str) -> bool:
    """Whether a line is one that this code may begin on; names of cells are used twice."""
    lines = text.split("\n", code.co_firstlineno)
    if len(lines) < code.co_firstlineno:
        return False
    line = lines[code.co_firstlineno - 1]
    name = code.co_name.strip("<>").partition(" ")[0]
    return name in _MODULES or name in line or line.lstrip().startswith("@")


def _started_ns() -> int:
    """When this process began, on the clock of files; 0 where nobody can tell.

    A second too early, as both clocks go in steps.
    """
    try:
        with open("/proc/self/stat", "rb") as stream:
            ticks = int(stream.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return 0
    return int((time.time() - age - 1) * 1e9)


# Of the process that imports this: what its children by fork have loaded is as old.
_STARTED_NS = _started_ns()


def is_made_up(file: str) -> bool:
    """Whether it is a name that only linecache can know: ``<string>`` and the like."""
    return file.startswith("<") and file.endswith(">")


def texts_of(file: str, namespace: Mapping[str, Any] | None) -> Iterator[str]:
    """Give every text that may be the file's: the one of the import before today's."""
    seen = set()
    for find in (_cached_text, _text_of_history, _text_on_disk, _text_of_loader):
        text = find(file, namespace)
        if text and text not in seen:
            seen.add(text)
            yield text


def _cached_text(file: str, _: Mapping[str, Any] | None) -> str:
    entry = linecache.cache.get(file)
    # An entry of length 1 is a promise to ask a loader.
    return "".join(entry[2]) if entry is not None and len(entry) == 4 else ""


def is_kept(file: str) -> bool:
    """Whether the name is that of one text only, as the names of cells are.

    Their code may differ from what the text alone compiles to: IPython compiles statement
    by statement, and may transform them.
    """
    entry = linecache.cache.get(file)
    return entry is not None and len(entry) == 4 and entry[1] is None


def _text_of_history(file: str, _: Mapping[str, Any] | None) -> str:
    """Find a cell in IPython's history, when linecache was cleared."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell: Any = get_ipython() if get_ipython else None
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})
    cells = shell.user_ns.get("In") if file in numbers else None
    if isinstance(cells, list) and numbers[file] < len(cells):
        return str(cells[numbers[file]])
    return ""


def _text_on_disk(file: str, _: Mapping[str, Any] | None) -> str:
    if is_made_up(file):
        return ""
    # As linecache does: a relative name may be meant from any folder of the path.
    folders = [""] if os.path.isabs(file) else ["", *filter(_is_text, sys.path)]
    for folder in folders:
        path = os.path.join(folder, file)
        try:
            state = os.stat(path)
            return _read(path, state.st_mtime_ns, state.st_size)
        except (OSError, UnicodeError, SyntaxError, ValueError):
            continue
    return ""


@functools.lru_cache(maxsize=512)
def _read(path: str, _mtime: int, _size: int) -> str:
    """Read a file once for all functions in it, until it changes."""
    with tokenize.open(path) as stream:
        return stream.read()


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _text_of_loader(file: str, namespace: Mapping[str, Any] | None) -> str:
    if namespace is None:
        namespace = _namespace_of(file)
    spec = namespace.get("__spec__")
    loader = getattr(spec, "loader", None) or namespace.get("__loader__")
    name = getattr(spec, "name", None) or namespace.get("__name__")
    get_source = getattr(loader, "get_source", None)
    if get_source is None or namespace.get("__file__") != file:
        return ""
    try:
        return get_source(name) or ""
    # A loader is anybody's code; that it cannot tell is all that matters here.
    except Exception:
        return ""


def _namespace_of(file: str) -> Mapping[str, Any]:
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == file:
            return vars(module)
    return {}
