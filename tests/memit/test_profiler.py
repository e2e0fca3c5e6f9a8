"""`profile`, `LineProfiler` and ``nbprobe memit``, as memory_profiler has them."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbprobe.__main__ import main
from nbprobe.memit import LineProfiler, profile, show_results

HEADER = "Line #    Mem usage    Increment  Occurrences   Line Contents\n" + "=" * 61

SCRIPT = """
import sys

@profile
def make(n):
    a = bytearray(n * 2**20)
    b = a + a
    del b
    return len(a)

print(make(10), sys.argv[1:])
sys.exit(4)
"""


def increments(text: str) -> dict[str, float]:
    row = re.compile(r" *\d+ +[\d.]+ MiB +(-?[\d.]+) MiB +\d+ {3}(.*)")
    return {m[2].strip(): float(m[1]) for m in map(row.match, text.splitlines()) if m}


def test_the_table_is_memory_profilers() -> None:
    out = io.StringIO()

    @profile(stream=out, precision=2)
    def work() -> int:
        data = bytearray(20 * 2**20)
        size = len(data)
        del data
        return size

    assert work() == 20 * 2**20
    text = out.getvalue()
    assert text.startswith(f"Filename: {__file__}\n\n{HEADER}\n")
    found = increments(text)
    assert found["data = bytearray(20 * 2**20)"] == pytest.approx(20, abs=0.1)
    assert found["del data"] == pytest.approx(-20, abs=0.1)
    # Each call has a table of its own.
    work()
    assert out.getvalue().count("Filename: ") == 2


def test_a_function_of_one_line_has_its_figures() -> None:
    def made() -> bytearray: return bytearray(20 * 2**20)  # fmt: skip

    profiler = LineProfiler()
    profiler.add_function(made)
    with profiler:
        made()
    ((_, rows),) = profiler.code_map.items()
    ((_, figures),) = rows
    assert figures is not None
    assert figures[0] == pytest.approx(20, abs=0.1) and figures[2] == 1


def test_coroutines_generators_and_errors() -> None:
    out = io.StringIO()

    @profile(stream=out)
    async def waits() -> int:
        data = bytearray(2**23)
        await asyncio.sleep(0)
        return len(data)

    @profile(stream=out)
    def counts() -> Iterator[int]:
        yield len(bytearray(2**22))

    @profile(stream=out)
    def fails() -> None:
        raise LookupError("mine")

    assert asyncio.run(waits()) == 2**23
    assert list(counts()) == [2**22]
    with pytest.raises(LookupError, match="mine"):
        fails()
    assert increments(out.getvalue())["data = bytearray(2**23)"] == pytest.approx(
        8, 0.1
    )
    assert 'raise LookupError("mine")' in out.getvalue()


def test_the_profiler_object() -> None:
    def made(n: int) -> bytearray:
        return bytearray(n)

    profiler = LineProfiler()
    wrapped = profiler(made)
    before = made.__code__
    for _ in range(3):
        wrapped(2**20)
    assert made.__code__ is before
    ((file, lines),) = profiler.code_map.items()
    figures = dict(lines)
    assert file == __file__
    assert figures[before.co_firstlineno + 1][0] == pytest.approx(3, abs=0.1)
    assert figures[before.co_firstlineno + 1][2] == 3
    out = io.StringIO()
    show_results(profiler, stream=out, precision=3)
    assert "return bytearray(n)" in out.getvalue()
    with pytest.raises(TypeError, match="no argument 'colour'"):
        LineProfiler(colour=1)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.py").write_text(SCRIPT)
    assert main(["memit", "--precision", "1", "s.py", "-x"]) == 4
    out = capfd.readouterr().out
    assert out.startswith(f"{10 * 2**20} ['-x']\nFilename: ")
    assert increments(out)["b = a + a"] == pytest.approx(20, abs=0.2)
    assert main(["memit", "--timestamp", "-o", "f.dat", "s.py"]) == 4
    assert re.match(r"FUNC __main__\.make [\d. ]+ 0\n", Path("f.dat").read_text())
    assert not hasattr(sys.modules["builtins"], "profile")


WITH_CHILDREN = """
import multiprocessing

@profile
def fill(n):
    data = bytearray(n)
    return len(data)

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(
            target=fill, args=(40 * 2**20,), name=method
        )
        process.start()
        process.join()
    fill(2**20)
"""


def test_the_command_adds_up_child_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.py").write_text(WITH_CHILDREN)
    program = [sys.executable, "-m", "nbprobe", "memit"]
    # Forks of its own, which have none of this process's threads.
    subprocess.run([*program, "--children", "s.py"], check=True)
    out = capfd.readouterr().out
    assert increments(out)["data = bytearray(n)"] == pytest.approx(1, abs=0.1)
    assert re.search(r"peak memory: [\d.]+ MiB, increment: [\d.]+ MiB; what they", out)
    assert re.search(r"\n2 child processes: 2 finished", out)
    for name in ("fork", "spawn"):
        assert re.search(rf"\n *{name} \(\d+\) +4\d(\.\d+)? MiB ", out), out


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "a program to run must be provided", 2),
        (["gone.py"], "there is no script 'gone.py'", 1),
        (["--precision", "x", "s.py"], "--precision takes a whole number from 0", 2),
        (["--pdb-mmem", "-1", "s.py"], "--pdb-mmem takes a number of MiB above 0", 2),
        (["--backend", "magic", "s.py"], "--backend takes", 2),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["memit", *arguments]) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line


def test_the_debugger_opens_above_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.py").write_text(SCRIPT)
    monkeypatch.setattr("sys.stdin", io.StringIO("p 6 * 7\nc\n"))
    assert main(["memit", "--pdb-mmem", "1", "s.py"]) == 4
    out = capfd.readouterr().out
    assert "exceeded the maximum of 1.00 MiB" in out
    assert "42" in out
