"""``nbprobe lprun`` beside kernprof: the same options, output and files."""

from __future__ import annotations

import io
import os
import pstats
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kernprof
import line_profiler
import pytest

from nbprobe.__main__ import main
from nbprobe.lprun import GlobalProfiler, LineProfiler, load_stats, profile

HELPER = """\
def assist(n):
    return n * 2
class Kind:
    def method(self):
        return assist(3)
"""
SCRIPT = """\
import sys
import helper_of_script
from helper_of_script import Kind
@profile
def work(n):
    total = 0
    for i in range(n):
        total += helper_of_script.assist(i)
    return total
def other():
    return Kind().method()
if __name__ == "__main__":
    print(work(int(sys.argv[1]) if len(sys.argv) > 1 else 5), other(), sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "helper_of_script.py").write_text(HELPER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    sys.modules.pop("helper_of_script", None)
    assert not hasattr(__builtins__, "profile")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["lprun", *arguments])
    sys.modules.pop("helper_of_script", None)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def hits(path: str = "script.py.lprof") -> dict[str, list[int]]:
    # Read by line_profiler itself.
    timings = line_profiler.load_stats(path).timings
    return {key[2]: [row[1] for row in rows] for key, rows in timings.items()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-lv", "script.py", "7"],
        ["-l", "-p", "script.py", "script.py"],
        ["-l", "-p", "helper_of_script", "script.py"],
        ["-l", "-p", "helper_of_script.py,script.py", "script.py"],
        ["-l", "-p", "helper_of_script.Kind.method", "script.py", "3"],
        ["-l", "--no-preimports", "-p", "helper_of_script", "script.py"],
        ["-l", "--preimports=no", "-p", "helper_of_script.Kind", "script.py"],
        ["-l", "-p", "script.py", "--prof-imports=yes", "script.py"],
        ["-l", "-p", "helper_of_script", "-p", "", "script.py"],
    ],
)
def test_same_hits_and_file_as_kernprof(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    arguments: list[str],
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    ours = hits()
    assert "Wrote profile results to 'script.py.lprof'" in out
    (folder / "script.py.lprof").unlink()
    argv, path = sys.argv, sys.path
    kernprof.main(arguments)
    vars(__import__("builtins")).pop("profile", None)
    sys.argv, sys.path = argv, path
    assert ours == hits()
    theirs = capsys.readouterr().out
    assert without_figures(out) == without_figures(theirs)


def without_figures(text: str) -> str:
    text = text.partition("Inspect results")[0]
    text = re.sub(r"(?m)^( +\d+ +\d+) +[\d.]+ +[\d.]+ +[\d.]+ ", r"\1", text)
    return re.sub(r"Total time: .*", "", text)


def test_results_are_shown_and_merged(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-l", "-o", "a.lprof", "script.py", "3")
    run(capsys, "-l", "--outfile=b.lprof", "script.py", "4")
    code, out, _ = run(capsys, "-u", "1e-3", "-tmz", "a.lprof", "b.lprof")
    assert code == 0
    assert "Timer unit: 0.001 s" in out
    assert re.search(r"\n +7 +9 .*for i in range", out)
    assert re.search(r"\n +\d+\.\d\d seconds - script\.py:4 - work\n", out)
    stream = io.StringIO()
    line_profiler.load_stats("a.lprof", "b.lprof").print(
        stream, 1e-3, stripzeros=True, summarize=True, sort=True
    )
    assert out == stream.getvalue()


def test_without_l_calls_are_profiled(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-b", "-v", "script.py")
    assert code == 0 and "function calls" in out
    stats: Any = pstats.Stats("script.py.prof")
    calls = {key[2]: row[0] for key, row in stats.stats.items()}
    assert calls["assist"] == 5 and "other" not in calls
    Path("script.py").write_text("def whole():\n    pass\nwhole()\n")
    run(capsys, "script.py")
    stats = pstats.Stats("script.py.prof")
    assert "whole" in {key[2] for key in stats.stats}


def test_modules_code_and_standard_input(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, out, err = run(capsys, "-l", "-m", "script", "2")
    assert "['2']" in out and err == ""
    assert hits("script.lprof") == {"work": [1, 3, 2, 1]}
    program = (
        "def f():\n    return 1\nprint(f(), __name__)\nimport sys; print(sys.argv)"
    )
    _, out, _ = run(capsys, "-lv", "-c", program, "x")
    assert "1 __main__" in out and "['-c', 'x']" in out
    assert re.search(r"\n +2 +1 .*return 1", out)
    (file,) = folder.glob("kernprof-command-*.lprof")
    # There is no file to show it from later.
    assert load_stats(file).timings == {}
    monkeypatch.setattr(sys, "stdin", io.StringIO("@profile\ndef g(): return 2\ng()"))
    _, out, _ = run(capsys, "-lv", "-")
    assert "def g(): return 2" in out
    assert list(folder.glob("kernprof-stdin-*.lprof"))


def test_program_that_fails_has_its_results(capsys: pytest.CaptureFixture[str]) -> None:
    with open("script.py", "a") as stream:
        stream.write("    other(); 1 / 0\n")
    code, _, err = run(capsys, "-l", "script.py")
    assert code == 1
    assert "ZeroDivisionError" in err and "nbprobe" not in err
    assert hits()["work"] == [1, 6, 5, 1]
    with open("script.py", "a") as stream:
        stream.write("")
    Path("leaves.py").write_text("@profile\ndef f(): pass\nf()\nraise SystemExit(3)")
    assert run(capsys, "-l", "leaves.py")[0] == 3
    assert hits("leaves.py.lprof") == {"f": [1]}


def test_setup_runs_first_and_is_not_profiled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("before.py").write_text("import helper_of_script\nprint('first')\n")
    _, out, _ = run(capsys, "-l", "-s", "before.py", "script.py")
    assert out.startswith("first\n")
    assert list(hits()) == ["work"]


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Wrote" not in run(capsys, "-lq", "script.py")[1]
    assert run(capsys, "-lqq", "script.py")[1] == ""
    assert (
        "Inspect results with:\nnbprobe lprun -rmt" in run(capsys, "-l", "script.py")[1]
    )


def test_results_are_written_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    Path("slow.py").write_text(
        "import os, time\n@profile\ndef f(): pass\nf()\n"
        "end = time.time() + 90\n"
        "while not os.path.exists('slow.py.lprof') and time.time() < end:\n"
        "    time.sleep(0.05)\n"
        "print(os.path.exists('slow.py.lprof'))\n"
    )
    assert "True" in run(capsys, "-l", "--output-interval=1", "slow.py")[1]


def test_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(
        "[tool.line_profiler.kernprof]\nline-by-line = true\nverbose = 1\nunit = 1.0\n"
        "[tool.line_profiler.cli]\nunit = 1e-3\n"
    )
    _, out, _ = run(capsys, "script.py")
    assert "Timer unit: 1 s" in out and "Function: work" in out
    assert "Timer unit: 0.001 s" in run(capsys, "script.py.lprof")[1]
    _, out, _ = run(capsys, "--no-config", "-l", "script.py")
    assert "Function: work" not in out
    Path("other.toml").write_text("[tool.line_profiler.cli]\nunit = 'much'\n")
    code, _, err = run(capsys, "-c", "other.toml", "script.py.lprof")
    assert code == 1 and "tool.line_profiler.cli.unit must be like 1e-06" in err


def test_wrong_configuration_that_was_found_is_one_line() -> None:
    Path("pyproject.toml").write_text(
        "[tool.line_profiler.kernprof]\nverbose = true\nunit = 'much'\n"
    )
    wrong = "pyproject.toml': tool.line_profiler.kernprof.unit must be like 1e-06"
    command = [sys.executable, "-m", "nbprobe", "lprun", "-l", "script.py"]
    done = subprocess.run(command, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and wrong in line
    # A program that imports the decorator runs all the same.
    program = "from nbprobe.lprun import profile\nprint(profile(len)([]))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "0\n")
    assert wrong in done.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-l", "nope.py"], "there is no script 'nope.py'"),
        (["nope.lprof"], "No such file or directory: 'nope.lprof'"),
        (["-l", "-m", "nomodule_at_all"], "there is no module 'nomodule_at_all'"),
        (["script.py.lprof"], "not a line profile"),
        (["--config", "no.toml", "script.py"], "no.toml"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    Path("script.py.lprof").write_bytes(b"nonsense")
    code, out, err = run(capsys, *arguments)
    assert code == 1 and out == ""
    (line,) = err.splitlines()
    assert line.startswith("nbprobe lprun: ") and error in line


@pytest.mark.parametrize(
    "arguments",
    [["-u", "0", "x.lprof"], ["-l", "-u", "no", "x.py"], ["-l"], ["-l", "-m"]],
)
def test_bad_options_name_themselves(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["lprun", *arguments])
    assert caught.value.code == 2
    assert "nbprobe lprun: error:" in capsys.readouterr().err


def test_target_that_cannot_be_imported_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "-l", "-p", "nowhere.to.be.found", "script.py")
    assert code == 0 and "Wrote profile results" in out
    assert err.splitlines() == [
        "nbprobe lprun: -p nowhere.to.be.found: ModuleNotFoundError:"
        " No module, function or class named 'nowhere.to.be.found'"
    ]


# ---- the decorator ----


def test_decorator_does_nothing_unless_asked() -> None:
    off = GlobalProfiler(False)

    def work() -> int:
        return 1

    assert off(work) is work and off.enabled is False
    assert isinstance(profile, GlobalProfiler)
    theirs = line_profiler.explicit_profiler.GlobalProfiler(False)
    for name in ("setup_config", "write_config", "show_config", "output_prefix"):
        assert getattr(off, name) == getattr(theirs, name)


def test_decorator_writes_line_profilers_files(folder: Path) -> None:
    program = "import sys\nfrom {} import profile\n@profile\ndef work():\n    return 1\nwork()"
    names = {}
    for package in ("line_profiler", "nbprobe.lprun"):
        (folder / "program.py").write_text(program.format(package))
        done = subprocess.run(
            [sys.executable, "program.py"],
            env=os.environ | {"LINE_PROFILE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Wrote profile results to profile_output.txt" in done.stdout
        files = sorted(folder.glob("profile_output*"))
        names[package] = [re.sub(r"_\d{4}-.*\.", "_STAMP.", f.name) for f in files]
        assert hits("profile_output.lprof") == {"work": [1]}
        for file in files:
            file.unlink()
    assert names["line_profiler"] == names["nbprobe.lprun"]
    assert len(names["nbprobe.lprun"]) == 3


def test_decorator_is_switched_on_by_hand(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = GlobalProfiler(False)
    ours._profile = LineProfiler()
    ours.enable(output_prefix="other")
    ours.write_config["timestamped_text"] = False
    ours.show_config["rich"] = False

    def work() -> int:
        return 1

    assert ours(work)() == 1
    ours.show()
    assert sorted(file.name for file in folder.glob("other*")) == [
        "other.lprof",
        "other.txt",
    ]
    out = capsys.readouterr().out
    assert "To view details run:" in out
    assert " seconds - " in out
    assert "return 1" in (folder / "other.txt").read_text()
    ours.disable()
    assert ours(work) is work


def test_the_modules_are_commands_as_theirs_are() -> None:
    """``python -m`` of kernprof and of line_profiler, with the same files and tables."""

    def ran(*words: str) -> str:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shape(text: str) -> list[list[str]]:
        return [line.split()[:2] for line in text.splitlines() if " def " in line]

    tables = []
    for runner, show in (
        ("nbprobe.lprun.kernprof", "nbprobe.lprun"),
        ("kernprof", "line_profiler"),
    ):
        assert "script.py.lprof" in ran("-m", runner, "-l", "script.py")
        tables.append(shape(ran("-m", show, "script.py.lprof")))
    assert tables[0] == tables[1] != []


def test_kernprof_finds_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    import kernprof as theirs

    from nbprobe.lprun import kernprof as ours

    monkeypatch.setenv("PATH", os.path.abspath("tools"))
    os.mkdir("tools")
    Path("tools/tool").write_text("")
    for find in (ours.find_script, theirs.find_script):
        assert find("script.py") == "script.py"
        assert find("tool") == os.path.abspath("tools/tool")
        with pytest.raises(FileNotFoundError):
            find("nothing", exit_on_error=False)
        with pytest.raises(SystemExit):
            find("nothing")
    for name in ("asyncio", "json.tool", "kernprof"):
        assert ours.find_module_script(name) == theirs.find_module_script(name)
    names: dict[str, object] = {}
    Path("plain.py").write_text("x = 3")
    ours.execfile("plain.py", names)
    assert names["x"] == 3


def test_a_repeated_timer_calls_until_it_is_stopped() -> None:
    from nbprobe.lprun.kernprof import RepeatedTimer

    called: list[str] = []
    twice = threading.Event()

    def dump(file: str) -> None:
        called.append(file)
        if len(called) == 2:
            twice.set()

    timer = RepeatedTimer(0.001, dump, "a file")
    assert twice.wait(60)
    timer.stop()
    count = len(called)
    assert called == ["a file"] * count
    assert not timer.is_running
    timer.start()
    timer.stop()


def test_contextual_profile_counts_as_cprofile_does() -> None:
    import kernprof as theirs

    from nbprobe.lprun.kernprof import ContextualProfile

    def work() -> int:
        return max(1, 2)

    for kind in (ContextualProfile, theirs.ContextualProfile):
        profile = kind()
        wrapped = profile(work)
        assert [wrapped(), wrapped()] == [2, 2]
        with profile:
            assert profile.enable_count == 1
            work()
        assert profile.enable_count == 0
        profile.create_stats()
        label = work.__code__.co_filename, work.__code__.co_firstlineno, "work"
        assert profile.stats[label][:2] == (3, 3)
