"""``nbprobe timeit`` takes what ``python -m timeit`` takes, and answers as it does."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

import nbprobe
from nbprobe.__main__ import COMMANDS, main
from nbprobe.timeit import TimeitResult

from ..patience import at_best

STANDARD = re.compile(
    r"(\d+) loops?, best of (\d+): [\d.e+-]+ (nsec|usec|msec|sec) per loop"
)


def _standard(text: str) -> re.Match[str]:
    match = STANDARD.search(text)
    assert match, text
    return match


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    ("flags", "loops", "repeat"),
    [
        (["-n", "10", "-r", "3"], "10", "3"),
        (["-n10"], "10", "5"),
        (["--number=10", "--repeat", "2"], "10", "2"),
    ],
)
def test_the_standard_line_comes_first(
    capsys: pytest.CaptureFixture[str], flags: list[str], loops: str, repeat: str
) -> None:
    assert main(["timeit", *flags, "len('a')"]) == 0
    out = capsys.readouterr().out
    match = STANDARD.fullmatch(out.splitlines()[0])
    assert match
    assert (match[1], match[2]) == (loops, repeat)
    assert "per loop (mean ± std. dev." in out


def test_statements_and_setups_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "-n1",
        "-r1",
        "-s",
        "x = 1",
        "-s",
        "y = 2",
        "if x:",
        "    assert y == 2",
    ]
    assert main(["timeit", *arguments]) == 0
    _standard(capsys.readouterr().out)


@pytest.mark.parametrize("unit", ["nsec", "usec", "msec", "sec"])
def test_unit(capsys: pytest.CaptureFixture[str], unit: str) -> None:
    assert main(["timeit", "-n1", "-u", unit, "pass"]) == 0
    assert _standard(capsys.readouterr().out)[3] == unit


def test_verbose_shows_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeit", "-v", "-n1", "-r3", "pass"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(r"raw times: \S+ \wsec, \S+ \wsec, \S+ \wsec", first)


@pytest.mark.parametrize("flags", [[], ["-n0", "-r1"]])
@at_best
def test_very_verbose_shows_what_was_tried(
    capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    short = flags or ["--budget=0.02"]
    assert main(["timeit", "-v", *short, "pass"]) == 0
    tried, _, rest = capsys.readouterr().out.partition("\n\n")
    lines = tried.splitlines()
    matches = [re.fullmatch(r"(\d+) loops? -> [\d.e+-]+ secs", line) for line in lines]
    numbers = [int(match[1]) for match in matches if match]
    assert len(numbers) == len(lines) >= 2
    assert lines[0].startswith("1 loop -> ")
    assert numbers == sorted(numbers)
    assert rest.startswith("raw times: ")


@pytest.mark.parametrize("runs", ["0", "-3"])
def test_less_than_one_run_is_one(
    capsys: pytest.CaptureFixture[str], runs: str
) -> None:
    assert main(["timeit", "-n5", "-r", runs, "pass"]) == 0
    ours = _standard(capsys.readouterr().out)
    assert timeit.main(["-n5", "-r", runs, "pass"]) is None
    theirs = _standard(capsys.readouterr().out)
    assert ours.group(1, 2) == theirs.group(1, 2) == ("5", "1")


def test_process_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    assert main(["timeit", "-p", "-n1", "--json", str(file), "pass"]) == 0
    assert nbprobe.load(file).clock == "cpu"


@at_best
def test_without_flags_it_measures_within_the_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["timeit", "--budget", "0.2", "len('a')"]) == 0
    out = capsys.readouterr().out
    _standard(out)
    assert "95 % interval" in out


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--vs", "sum(range(1000))"], "slower"),
        (["--scale", "n=1,2,3,4"], "exponent"),
        (["--each", "x = 1"], "each execution timed alone"),
        (["--stat", "median"], "median"),
    ],
)
@at_best
def test_our_options_show_our_text_only(
    capsys: pytest.CaptureFixture[str], flags: list[str], shown: str
) -> None:
    assert main(["timeit", "--budget", "0.1", *flags, "len('a')"]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert not STANDARD.search(out)


def test_an_error_shows_the_users_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeit", "-s", "x = 0", "1 / x"]) == 1
    captured = capsys.readouterr()
    assert "    1 / x\n" in captured.err
    assert captured.err.endswith("ZeroDivisionError: division by zero\n")
    assert captured.err.count("  File ") == 1


def test_a_syntax_error_shows_the_users_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["timeit", "x +"]) == 1
    captured = capsys.readouterr()
    assert "    x +\n" in captured.err
    assert captured.err.count("  File ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budgt", "2"], "did you mean --budget? nbprobe timeit --budget 2"),
        (["-n", "abc"], "-n takes a whole number from 0, not 'abc'"),
        (["-r", "few"], "-r takes a whole number, not 'few'"),
        (
            ["-u", "sex"],
            "-u takes one of nsec, usec, msec, sec, not 'sex'; did you mean sec?",
        ),
        (["-n1", "--budget", "1"], "leave out them or --budget"),
    ],
)
def test_wrong_use_is_answered(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["timeit", *arguments]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("nbprobe timeit: ")
    assert first.endswith(message)
    assert second == "use -h/--help for command line help"


def test_json_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "nowhere" / "x.json"
    assert main(["timeit", "-n1", "--json", str(file), "pass"]) == 2
    assert "in a folder that exists" in capsys.readouterr().err


def test_json_for_which_there_is_no_room_is_said(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(TimeitResult, "save", full)
    assert main(["timeit", "-n1", "--json", str(tmp_path / "x.json"), "pass"]) == 1
    # The last line: on a busy machine the times differ, and that is said as well.
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("nbprobe timeit: --json: ")


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["--help"], 0, "usage: nbprobe COMMAND"),
        (["timeit", "--help"], 0, "--scale NAME=SIZE,SIZE,..."),
        (["timeit", "-h"], 0, "-u, --unit {nsec,usec,msec,sec}"),
        (["--version"], 0, nbprobe.__version__),
        ([], 2, "usage: nbprobe COMMAND"),
    ],
)
def test_help_and_version(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, shown: str
) -> None:
    assert main(arguments) == code
    assert shown in capsys.readouterr().out


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timit"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    known = ", ".join(COMMANDS)
    assert line == f"nbprobe: there is no command 'timit'; the commands are: {known}"


def test_as_a_module_it_imports_from_here_and_needs_no_ipython(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("value = 1\n")
    statement = "import here, sys; assert 'IPython' not in sys.modules"
    ran = subprocess.run(
        [sys.executable, "-m", "nbprobe", "timeit", "-n1", "-r1", statement],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    _standard(ran.stdout)
