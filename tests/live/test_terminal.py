"""The live display outside of notebooks: one line on a terminal, nothing in a file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ..patience import at_best

CODE = """%load_ext nbprobe
%config LiveDisplay.after = 0.1
import time
%memit time.sleep(0.5)
"""
COMMAND = [
    sys.executable,
    "-m",
    "IPython",
    "--no-banner",
    "--colors=NoColor",
    "--no-term-title",
    "-c",
    CODE,
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "IPYTHONDIR": str(tmp_path), "TERM": "xterm"}


def read_all(fd: int) -> str:
    parts = []
    try:
        while part := os.read(fd, 65536):
            parts.append(part)
    except OSError:  # what a terminal answers when nobody is on its other side
        pass
    return b"".join(parts).decode()


@at_best
def test_a_terminal_has_one_line_that_the_result_replaces(
    environment: dict[str, str],
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = read_all(ours)
    os.close(ours)
    assert process.returncode == 0, written
    begin = written.index("\r\x1b[K%memit: 0.")
    end = written.rindex("\r\x1b[K")
    updates = written[begin:end].split("\r\x1b[K")[1:]
    assert len(updates) >= 2
    assert "\n" not in written[begin:end]
    assert all("MiB" in update for update in updates) and "time.sleep" in updates[-1]
    assert written[end:].startswith("\r\x1b[Kpeak memory: ")


def test_a_file_has_the_result_alone(environment: dict[str, str]) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("peak memory: ")
    assert "\r" not in done.stdout
