"""``nbprobe prun`` takes what ``python -m cProfile`` takes, and more."""

from __future__ import annotations

import os
import pstats
import subprocess
import sys
from pathlib import Path

import pytest

from nbprobe.__main__ import main
from nbprobe.prun import ProfileResult
from nbprobe.results import load

PROGRAM = """
import json, sys
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def main():
    json.dumps([fib(8)])
    print(__name__, __file__ == sys.argv[0], sys.argv[1:], "fib" in vars(sys.modules["__main__"]))
if __name__ == "__main__":
    main()
    if "raise" in sys.argv: raise ValueError("wrong")
    if "exit" in sys.argv: sys.exit(5)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return "program.py"


def calls_of(stats: pstats.Stats) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (os.path.basename(file), name): row[:2]
        for (file, _, name), row in stats.stats.items()  # type: ignore[attr-defined]
    }


def test_the_table_follows_what_the_program_prints(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.modules["__main__"], list(sys.path), sys.argv
    assert main(["prun", "-s", "calls", "-l", "3", program, "-s", "x"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("__main__ True ['-s', 'x'] True\n")
    assert "Ordered by: call count" in out and "(fib)" in out
    assert "(<module>)" not in out and "runpy" not in out
    assert (sys.modules["__main__"], sys.path, sys.argv) == before


def test_the_file_counts_what_cprofile_counts(program: str) -> None:
    for tool in (["nbprobe", "prun"], ["cProfile"]):
        command = [sys.executable, "-m", *tool, "-o", f"{tool[0]}.prof", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("__main__ True [] ")
    ours, theirs = (
        calls_of(pstats.Stats(name)) for name in ("nbprobe.prof", "cProfile.prof")
    )
    # Its own way to the program, and ours: import machinery runs the same.
    for name in ("exec", "disable"):
        for label in [label for label in theirs if name in label[1]]:
            del theirs[label]
    wanted = {label for label in ours if label[0] == program or "json" in label[1]}
    assert ("program.py", "fib") in wanted
    assert {label: ours[label] for label in wanted} == {
        label: theirs[label] for label in wanted
    }


def test_a_module_is_run(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prun", "-m", "program", "a"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("__main__ True ['a'] True\n") and "program.py:3(fib)" in out


@pytest.mark.parametrize(("end", "code"), [("exit", 5), ("raise", 1)])
def test_the_exit_code_is_the_programs(
    program: str, end: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["prun", program, end]) == code
    out, err = capfd.readouterr()
    assert "(fib)" in out
    assert ("ended early" in out) == (end == "raise")
    assert ("ValueError: wrong" in err) == (end == "raise")
    assert "nbprobe" not in err and "runpy" not in err


def test_everything_that_can_be_written(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", "a.json", "--html", "a.html", "--export", "a.collapsed"]
    assert main(["prun", *files, "--hide", "json", program]) == 0
    result = load("a.json")
    assert isinstance(result, ProfileResult)
    assert (result.statement, result.hide) == ("program.py", ("json",))
    assert "Call graph" in Path("a.html").read_text()
    assert "dumps" not in Path("a.collapsed").read_text()
    capsys.readouterr()
    assert main(["prun", "--vs", "a.json", "--no-builtins", program]) == 0
    assert "own before" in capsys.readouterr().out


def test_a_profile_is_shown(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prun", "-o", "a.prof", program]) == 0
    capsys.readouterr()
    assert main(["prun", "--html", "a.html", "a.prof"]) == 0
    assert "(fib)" in capsys.readouterr().out
    assert "pairs of caller and function" in Path("a.html").read_text()
    Path("b.prof").write_bytes(b"what")
    assert main(["prun", "b.prof"]) == 1
    assert "no profile of pstats" in capsys.readouterr().err


def test_files_are_where_it_started_when_the_program_leaves(
    program: str, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    Path("leaves.py").write_text(f"import os\nos.chdir({str(away)!r})\n")
    started = os.getcwd()
    try:
        assert main(["prun", "-o", "a.prof", "leaves.py"]) == 0
    finally:
        os.chdir(started)
    assert Path("a.prof").is_file() and not (away / "a.prof").exists()


def test_the_module_is_a_command_as_cprofile_is(program: str) -> None:
    for module in ("nbprobe.prun", "cProfile"):
        done = subprocess.run(
            [sys.executable, "-m", module, "-s", "calls", program],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "Ordered by: call count" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no program"),
        (["nothing.py"], "there is no script 'nothing.py'"),
        (["-m", "no_such_module"], "there is no module 'no_such_module' to run"),
        (["-s", "speed", "a.py"], "-s takes one of calls"),
        (["--export", "a.b", "a.py"], "tells no format"),
        (["--vs", "nothing", "a.py"], "there is no run 'nothing' yet"),
        (["-o", "/nowhere/a.prof", "a.py"], "-o takes the name of a file in a folder"),
    ],
)
def test_wrong_use(
    program: str,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["prun", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_files_are_written_though_nobody_reads_the_table(program: str) -> None:
    Path(program).write_text("sorted([1])")
    read, write = os.pipe()
    os.close(read)
    files = ["--html", "p.html", "--json", "p.json"]
    done = subprocess.run(
        [sys.executable, "-m", "nbprobe", "prun", *files, program],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert Path("p.html").stat().st_size > 1000
    assert isinstance(load("p.json"), ProfileResult)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_program_is_sampled(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(program).write_text("""
import sys, time
def wait():
    while time.process_time() < until:
        pass
until = time.process_time() + 0.3
wait()
sys.exit(3)
""")
    assert main(["prun", "--sample", "--json", "p.json", program]) == 3
    out = capsys.readouterr().out
    assert "samples of" in out and "(wait)" in out
    result = load("p.json")
    assert isinstance(result, ProfileResult) and result.sampling is not None
    names = {function.qualname for function in result.functions}
    assert {"<module>", "wait"} <= names and "main" not in names
    assert main(["prun", "--sample", "--children", program]) == 2
    assert "leave out --children" in capsys.readouterr().err
