"""Libraries in C that tests make."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def compiled(folder: Path, name: str, source: str, *flags: str) -> Path:
    """Compile a library in C; it is not loaded yet."""
    file = folder / f"{name}.c"
    file.write_text(source)
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "the extension was built by a compiler"
    path = folder / f"{name}.so"
    command = [compiler, "-O1", "-shared", "-fPIC", file, "-o", path, *flags]
    subprocess.run(command, check=True)
    return path
