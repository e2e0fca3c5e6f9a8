"""Pictures of references in files, with objgraph's messages."""

from __future__ import annotations

import os
import shutil
import subprocess

from ..views.names import one_line
from . import view
from .result import ReferenceGraph

__all__ = ["write"]

_PATIENCE_S = 30


def write(graph: ReferenceGraph, filename: str) -> None:
    """Write a picture in the format that the suffix of the file says."""
    _, suffix = os.path.splitext(filename)
    if suffix == ".dot":
        with open(filename, "w", encoding="utf-8") as file:
            file.write(view.dot(graph))
        print(f"Graph written to {filename} ({len(graph.nodes)} nodes)")
    elif suffix == ".svg":
        with open(filename, "w", encoding="utf-8") as file:
            file.write(view.svg(graph))
        print(f"Image generated as {filename}")
    elif not suffix:
        raise ValueError(
            f"the file name {filename!r} has no suffix: .svg, .dot, .png, .pdf"
        )
    else:
        _convert(graph, filename, suffix[1:])


def _convert(graph: ReferenceGraph, filename: str, format: str) -> None:
    """Have the ``dot`` program write what is not written in-process."""
    program = shutil.which("dot")
    if program is None:
        drawn = f"{os.path.splitext(filename)[0]}.svg"
        print(f"Image renderer (dot) not found, drawing {drawn} instead")
        write(graph, drawn)
        return
    command = [program, f"-T{format}", f"-o{filename}"]
    try:
        done = subprocess.run(
            command,
            input=view.dot(graph),
            text=True,
            encoding="utf-8",
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        print(
            f"dot was ended after {_PATIENCE_S} s while writing {filename};"
            " .svg is drawn in part instead"
        )
        return
    except OSError as error:
        print(f"dot does not start: {error}; .svg needs none")
        return
    if done.returncode == 0:
        print(f"Image generated as {filename}")
    else:
        reason = one_line(done.stderr, 120)
        print(
            f"dot failed (exit code {done.returncode}) while writing {filename}: {reason}"
        )
