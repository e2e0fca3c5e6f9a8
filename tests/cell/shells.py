"""A real shell without a terminal, and what came of running a cell in it."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Ran:
    """What a cell printed, raised, returned and displayed."""

    stdout: str
    stderr: str
    error: BaseException | None
    value: Any
    displayed: list[Any]

    @property
    def usage_error(self) -> str:
        """The line that a wrong use is answered with, and nothing else."""
        assert self.stdout == ""
        (line,) = self.stderr.splitlines()
        return line.removeprefix("UsageError: ")


class Session:
    """An IPython session."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    @property
    def names(self) -> dict[str, Any]:
        """The user's namespace."""
        return self.shell.user_ns

    def run(self, cell: str) -> Ran:
        """Run a cell as a user does, with a number of its own."""
        publisher = self.shell.display_pub
        assert isinstance(publisher, CapturingDisplayPublisher)
        publisher.outputs.clear()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = self.shell.run_cell(cell, store_history=True)
        return Ran(
            _COLOURS.sub("", out.getvalue()),
            _COLOURS.sub("", err.getvalue()),
            result.error_before_exec or result.error_in_exec,
            result.result,
            list(publisher.outputs),
        )

    def complete(self, text: str) -> list[str]:
        """Say what Tab offers at the end of a text."""
        with provisionalcompleter():
            found = self.shell.Completer.completions(text, len(text))
            return [completion.text for completion in found]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session without nbprobe."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    shell.display_pub = CapturingDisplayPublisher(shell=shell)
    yield Session(shell)
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


@pytest.fixture
def session(bare: Session) -> Session:
    """A session with nbprobe loaded and a budget that suits tests."""
    bare.run("%load_ext nbprobe")
    bare.run("%config TimeitMagics.budget = 0.01")
    return bare
