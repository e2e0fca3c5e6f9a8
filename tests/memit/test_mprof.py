"""``nbprobe mprof``: programs are recorded, and peaks between two looks are not missed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mprof
import pytest

from nbprobe.__main__ import main
from nbprobe.memit.recording import read

from ..patience import at_best, wait_until

PROGRAM = """
import sys, time

@profile
def peak():
    data = bytearray(150 * 2**20)
    del data
    time.sleep(0.3)

@profile
async def waits():
    peak()

import asyncio
asyncio.run(waits())
with profile.timestamp("a block"):
    pass
sys.exit(3)
"""

CHILDREN = """
import os, time
shared = bytearray(b"x") * (60 * 2**20)
pids = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        time.sleep(0.7)
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_script_is_recorded_with_its_functions(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "script.py").write_text(PROGRAM)
    # WHEN its peak lasts far shorter than the interval
    code = main(["mprof", "run", "-E", "-T", "0.2", "-o", "a.dat", "script.py", "-x"])
    assert code == 3
    recording = read("a.dat")
    # THEN it is in the recording, because the kernel knows it
    assert 150 < recording.peak_mib() < 260
    assert recording.command.endswith("python script.py -x")
    names = {span.name: span.level for span in recording.spans}
    assert names == {"__main__.waits": 0, "__main__.peak": 1, ".a_block": 0}
    assert mprof.read_mprofile_file("a.dat")["func_timestamp"].keys() == names.keys()
    out, err = capfd.readouterr()
    assert "mprof: Sampling memory every 0.2s\nrunning new process\n" in out
    assert "non-zero exit code: 3" in err


def test_without_its_flag_the_exit_code_is_ours(folder: Path) -> None:
    code = "import sys; sys.exit(3)"
    assert main(["mprof", "run", "-T", "0.01", sys.executable, "-c", code]) == 0
    (path,) = folder.glob("mprofile_*.dat")
    assert re.fullmatch(r"mprofile_\d{14}\.dat", path.name)


def test_a_peak_at_the_very_end_is_known(folder: Path) -> None:
    code = (
        "import time; time.sleep(0.02); bytearray(100 * 2**20); import os; os._exit(0)"
    )
    # A process of its own, because a program starts with the peak of what starts it.
    command = [
        sys.executable,
        "-m",
        "nbprobe",
        "mprof",
        "run",
        "-T",
        "5",
        "-o",
        "a.dat",
    ]
    subprocess.run([*command, sys.executable, "-c", code], check=True)
    assert 100 < read("a.dat").peak_mib() < 140


def test_what_its_children_used_is_not_its_own(folder: Path) -> None:
    (folder / "script.py").write_text(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'b\"x\" * (200 * 2**20)'], check=True)\n"
    )
    assert main(["mprof", "run", "-E", "-T", "0.05", "-o", "a.dat", "script.py"]) == 0
    assert read("a.dat").main.peak_mib < 150


@at_best
def test_children_are_not_counted_twice(folder: Path) -> None:
    (folder / "forks").write_text(CHILDREN)
    command = ["-o", "a.dat", "-T", "0.05", sys.executable, "forks"]
    main(["mprof", "run", "-C", *command])
    # THEN the 60 MiB that four processes share are there once
    assert 60 < read("a.dat").peak_mib() < 110
    main(["mprof", "run", "-M", *command[:1], "b.dat", *command[2:]])
    recording = read("b.dat")
    assert len(recording.processes) == 3
    assert all(course.peak_mib > 50 for course in recording.processes)


def test_functions_are_recorded_beside_processes_in_a_file_of_its_own(
    folder: Path,
) -> None:
    (folder / "script.py").write_text("@profile\ndef work(): pass\nwork()")
    for _ in range(2):
        run = ["mprof", "run", "-E", "-M", "-T", "0.05", "-o", "a.dat", "script.py"]
        assert main(run) == 0
    (span,) = read("a.dat").spans
    assert span.name == "__main__.work"
    assert Path("a.dat").read_text().count("CMDLINE") == 1


def test_a_recording_is_replaced_and_nothing_else(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("data.csv").write_text("name,count\n")
    assert main(["mprof", "run", "-o", "data.csv", "true"]) == 1
    assert "'data.csv' is there, and is no recording" in capfd.readouterr().err
    assert Path("data.csv").read_text() == "name,count\n"
    Path("empty.dat").touch()
    assert main(["mprof", "run", "-o", "empty.dat", "true"]) == 0
    assert "replaced" not in capfd.readouterr().out
    assert main(["mprof", "run", "-o", "empty.dat", "true"]) == 0
    assert "the recording in empty.dat is replaced" in capfd.readouterr().out
    assert Path("empty.dat").read_text().count("CMDLINE") == 1


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "30"]) as process:
        # Just started, it does not have its command line yet.
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.001)
        yield process
        process.kill()


def test_attach_by_number_and_by_name(
    sleeper: subprocess.Popen[bytes], folder: Path
) -> None:
    arguments = ["-T", "0.01", "-t", "0.05", "-o", "a.dat", str(sleeper.pid)]
    assert main(["mprof", "attach", *arguments]) == 0
    recording = read("a.dat")
    assert recording.command == "sleep 30"
    assert 0 < recording.peak_mib() < 50
    assert main(["mprof", "run", "-a", *arguments[:4], "-o", "b.dat", "sleep"]) == 0
    assert read("b.dat").peak_mib() > 0
    assert sleeper.poll() is None


def test_attach_ends_with_the_process(folder: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as process:

        def end() -> None:
            try:
                wait_until((folder / "a.dat").exists)
            finally:
                process.kill()

        ending = threading.Thread(target=end)
        ending.start()
        arguments = ["-T", "0.02", "-o", "a.dat", f"{process.pid}"]
        assert main(["mprof", "attach", *arguments]) == 0
        ending.join()


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["attach", "DEAD"], "there is no process ", 1),
        (["attach", "no such name"], "no process whose name has 'no such name'", 1),
        (["attach"], "write nbprobe mprof attach PID|NAME", 2),
        (["run"], "write nbprobe mprof run PROGRAM", 2),
        (["run", "./not-there"], "'./not-there' does not start: No such file", 1),
        (["run", "-T", "0", "true"], "-T takes a number of seconds above 0", 2),
        (["run", "-t", "-1", "true"], "-t takes a number of seconds above 0", 2),
        (["run", "--backend", "tracemalloc", "true"], "--backend takes", 2),
        (["run", "--python", "--nopython", "x.py"], "choose one", 2),
        (["plot"], "there is no recording in this folder", 1),
        (["plot", "gone.dat"], "'gone.dat' is not there", 1),
        (["plot", "-w", "3,1", "x"], "-w takes two numbers", 2),
        (["plot", "damaged.dat"], "line 2 is 'MEM x'", 1),
        (["peak", "damaged.dat"], "line 2 is 'MEM x'", 1),
        (["peak", "7"], "there is no recording 7 in this folder; there are: none", 1),
        (["plot", "one.dat"], "one sample alone has no course", 1),
        (["rm"], "there is no file to remove", 2),
        (["speed"], "there is no verb 'speed'", 2),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    code: int,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "damaged.dat").write_text("MEM 1.0 2.0\nMEM x\n")
    (folder / "one.dat").write_text("MEM 1.0 2.0\n")
    words = [str(dead_pid()) if word == "DEAD" else word for word in arguments]
    assert main(["mprof", *words]) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
    # THEN nothing was written
    assert not list(folder.glob("mprofile_*"))


def test_list_rm_and_clean(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [f"mprofile_2026112110000{digit}.dat" for digit in range(3)]
    for name in names:
        (folder / name).write_text("MEM 1.0 2.0\nMEM 2.0 3.0\n")
    main(["mprof", "list"])
    assert capfd.readouterr().out.splitlines()[1] == f"1 {names[1]} 10:00:01 21/11/2026"
    main(["mprof", "rm", "--dry-run", "-1"])
    assert capfd.readouterr().out == f"Files to be removed: \n{names[2]}\n"
    main(["mprof", "rm", "-1", "0"])
    assert os.listdir() == [names[1]]
    main(["mprof", "peak"])
    expected = f"Using last profile data.\n{names[1]}\t2.000 MiB\n"
    assert capfd.readouterr().out == expected
    main(["mprof", "clean"])
    assert os.listdir() == []


@pytest.mark.parametrize("ending", ["html", "svg", "txt", "png"])
def test_plots(folder: Path, ending: str, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [f"MEM {10 + i % 7}.0 {1000 + i / 10}" for i in range(50)]
    lines += ["CHLD 5 3.0 1001.0", "CHLD 5 4.0 1002.0", "FUNC m.f 11 1001 12 1003 0"]
    (folder / "a.dat").write_text("\n".join(["CMDLINE run <it>", *lines, ""]))
    target = folder / f"out.{ending}"
    main(["mprof", "plot", "a.dat", "-s", "-w", "0,4", "-o", target.name])
    assert f"The plot is in {target.name}" in capfd.readouterr().out
    content = target.read_bytes()
    starts = {
        "html": b"<!DOCTYPE",
        "svg": b"<svg",
        "txt": b"peak 16 MiB",
        "png": b"\x89PNG",
    }
    assert content.startswith(starts[ending])
    if ending == "html":
        assert b"<script" not in content and b"run &lt;it&gt;" in content
        main(["mprof", "plot", "-f", "a.dat"])
        assert (folder / "a.html").exists()


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["mprof", "--help"]) == 0
    assert "attach" in capfd.readouterr().out
    assert main(["mprof", "plot", "--help"]) == 0
    assert "--no-function-ts" in capfd.readouterr().out
