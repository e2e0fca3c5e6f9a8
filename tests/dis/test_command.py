"""``nbprobe dis`` takes what ``python -m dis`` takes."""

from __future__ import annotations

import dis
import io
import subprocess
import sys
from pathlib import Path

import pytest

import nbprobe.dis
from nbprobe.__main__ import main

PROGRAM = "def twice(x):\n    return x + x\n\nprint('not run')\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text(PROGRAM)


def test_bytecode_beside_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dis", "a.py"]) == 0
    out = capsys.readouterr().out
    assert "return x + x" in out and "BINARY_OP" in out
    assert "twice" in out and not out.startswith("not run")
    assert main(["dis", "--depth", "0", "a.py"]) == 0
    assert "BINARY_OP" not in capsys.readouterr().out


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO(PROGRAM))
        assert main(["dis", *arguments]) == 0
        assert "return x + x" in capsys.readouterr().out


def test_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dis", "-C", "--show-offsets", "--html", "a.html", "a.py"]) == 0
    assert "BINARY_OP" in Path("a.html").read_text()
    plain = capsys.readouterr().out
    assert main(["dis", "a.py"]) == 0
    assert len(plain) > len(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing.py"], 1, "No such file or directory: 'nothing.py'"),
        (["."], 1, "Is a directory"),
        (["wrong.py"], 1, "(wrong.py, line 1)"),
        (["zero.py"], 1, "null byte"),
        (["latin.py"], 1, "encoding"),
        (["a.py", "a.py"], 2, "one file at a time"),
        (["-Z", "a.py"], 2, "unknown option -Z"),
        (["--depth", "-1", "a.py"], 2, "--depth takes a whole number from 0"),
        (["--html", "/nowhere/a.html", "a.py"], 2, "in a folder that exists"),
    ],
)
def test_bad_input(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    Path("wrong.py").write_text("def (:\n")
    Path("zero.py").write_bytes(b"x = 1\0")
    Path("latin.py").write_bytes("x = 'é'".encode("latin-1"))
    assert main(["dis", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    first, *rest = captured.err.splitlines()
    assert first.startswith("nbprobe dis: ") and message in first
    assert len(rest) == (code == 2)


def test_the_module_is_a_command_as_dis_is() -> None:
    for module in ("nbprobe.dis", "dis"):
        done = subprocess.run(
            [sys.executable, "-m", module, "a.py"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "BINARY_OP" in done.stdout


def test_the_functions_of_dis_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert nbprobe.dis.stack_effect is dis.stack_effect
    assert nbprobe.dis.opmap is dis.opmap
    code = compile(PROGRAM, "a.py", "exec")
    nbprobe.dis.dis(code)
    ours = capsys.readouterr().out
    dis.dis(code)
    assert ours == capsys.readouterr().out != ""
    assert {"Bytecode", "distb", "disassemble", "code_info"} <= set(dir(nbprobe.dis))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        nbprobe.dis.nothing  # noqa: B018
