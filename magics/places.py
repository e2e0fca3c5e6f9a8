"""Where code stands, in the few letters that a table has for it."""

from __future__ import annotations

import os
import re

__all__ = ["file_name", "is_cell", "place_of"]

# What ipykernel and IPython call the file of a cell, and we that of a magic's line.
_CELL = re.compile(r"<ipython-input-|[/\\]ipykernel_\d+[/\\]|^<nbprobe ")


def is_cell(file: str) -> bool:
    """Whether a name of a file is that of a notebook's cell."""
    return _CELL.search(file) is not None


def file_name(file: str) -> str:
    """Give a file's own name; ``cell`` for a notebook's cell, which has none."""
    return "cell" if is_cell(file) else os.path.basename(file)


def place_of(file: str, line: int) -> str:
    """Name a line: ``train.py:31``, ``cell:4``."""
    return f"{file_name(file)}:{line}"
