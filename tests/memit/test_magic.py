"""%memit in a real shell: memory_profiler's flags and line, and what it does better."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbprobe.memit import Change, MemoryResult

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

STOCK = r"peak memory: \d+\.\d\d MiB, increment: -?\d+\.\d\d MiB\n"


def test_the_first_line_is_memory_profilers(session: Session) -> None:
    ran = session.run("%memit x = bytearray(50 * 2**20)")
    assert ran.error is None
    assert re.match(STOCK, ran.stdout)
    assert re.search(r"\nallocated +50 MiB in \d+ blocks?\n", ran.stdout)
    assert ran.value is None
    # As memory_profiler's: what it assigns is there afterwards.
    assert len(session.names["x"]) == 50 * 2**20


def test_it_runs_as_often_as_asked(session: Session) -> None:
    session.run("calls = []")
    session.run("%memit -q calls.append(1)")
    session.run("%memit -q -r 3 calls.append(1)")
    session.run("%memit -q -r 3 -t 0 -i 0.01 calls.append(1)")
    assert len(session.names["calls"]) == 7
    session.run("%memit -q -r 50 -t 0.000001 calls.append(1)")
    assert len(session.names["calls"]) == 8


def test_the_line_of_a_cell_is_setup(session: Session) -> None:
    ran = session.run("%%memit -o -q size = 30 * 2**20\na = bytearray(size)\ndel a")
    result: MemoryResult = ran.value or session.names["_"]
    # What is resident may have been so before: earlier tests have freed as much.
    assert abs(result.peak_allocated - 30 * 2**20) < 2**19
    assert result.setup == "size = 30 * 2**20"
    assert result.statement == "a = bytearray(size)\ndel a"
    assert result.lines()[0][0].line == 2


def test_the_result_is_memory_profilers(session: Session) -> None:
    result = session.run("%memit -o -q -r 2 -c -i 0.02 -t 60 pass").value
    assert (result.repeat, result.timeout, result.interval) == (2, 60.0, 0.02)
    assert result.include_children
    assert len(result.mem_usage) == 2
    assert result.baseline > 1
    assert re.fullmatch("<MemoryResult : peak memory: .*>", repr(result))


@pytest.mark.filterwarnings("ignore:To exit")
@pytest.mark.parametrize("error", ["ValueError", "KeyboardInterrupt", "SystemExit"])
def test_an_exception_keeps_what_was_measured(session: Session, error: str) -> None:
    ran = session.run(f"%memit -v kept bytearray(2**20); raise {error}")
    assert type(ran.error).__name__ == error
    assert re.match(STOCK, ran.stdout) and "ended early" in ran.stdout
    assert session.names["kept"].interrupted
    assert session.names["kept"].allocated_bytes > 2**20
    assert "nbprobe" not in ran.stderr


def test_names_compare(session: Session) -> None:
    session.run("%memit -q --name one bytearray(4000)")
    ran = session.run("%memit --name one bytearray(1000)")
    assert re.search(r"\d+x less at once: ", ran.stdout) or "less" in ran.stdout
    ran = session.run("%memit --vs one bytearray(9000)")
    assert re.search(r"peak allocated +[\d.,]+ K?i?B +[\d.,]+ KiB", ran.stdout)
    assert isinstance(session.names.get("_"), str | MemoryResult | Change | None)


def test_a_large_ratio_is_written_out(session: Session) -> None:
    session.run("%memit --name many [float(i) for i in range(10_000)]")
    ran = session.run("%memit --vs many [bytes(1000)]")
    assert re.search(r"\d,\d{3}x less", ran.stdout), ran.stdout
    assert not re.search(r"e\+\d+x", ran.stdout)


def test_leaks_name_the_holder(session: Session) -> None:
    session.run("cache = []\nclass Thing: pass\ndef handle(): cache.append(Thing())")
    ran = session.run("%memit --leaks handle()")
    assert "left behind by every run:" in ran.stdout
    assert "cache[1]" in ran.stdout and "del cache" in ran.stdout
    assert len(session.names["cache"]) == 2
    ran = session.run("%memit --leaks len('a')")
    assert "left behind" not in ran.stdout


def test_native_memory_is_counted_when_asked_for(session: Session) -> None:
    ran = session.run("%memit -o -q --native bytearray(2**20)")
    assert ran.value.native
    assert ran.value.allocated_bytes > 2**20


def test_memory_that_is_not_pythons_is_pointed_out(session: Session) -> None:
    session.run("import mmap")
    # WHEN a module takes pages from the system by itself
    ran = session.run(
        "%%memit pages = mmap.mmap(-1, 32 * 2**20)\n"
        "for _ in range(32):\n    pages.write(bytes(2**20))"
    )
    assert re.search(
        r"resident +[\d.]+ MiB of it are memory or code of libraries; --native",
        ran.stdout,
    )
    # THEN what is resident afterwards is told, and what a statement gives back
    assert re.search(r"afterwards +\+3\d[.\d]* MiB resident", ran.stdout)
    ran = session.run("%memit pages.close()")
    assert re.search(r"afterwards +-3\d[.\d]* MiB resident", ran.stdout)
    assert "of libraries" not in ran.stdout


def test_local_names_and_await(session: Session) -> None:
    session.run(
        "def outer(size):\n"
        "    get_ipython().run_line_magic('memit', '-q -v kept d = bytearray(size)')\n"
        "outer(5 * 2**20)\nimport asyncio"
    )
    assert session.names["kept"].allocated_bytes > 5 * 2**20
    assert "d" not in session.names
    ran = session.run("%memit -q -o y = await asyncio.sleep(0.01, bytearray(2**21))")
    assert ran.error is None
    assert ran.value.allocated_bytes > 2**21
    assert len(session.names["y"]) == 2**21


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%memit", "there is no statement to measure"),
        ("%memit -r 0 f()", "-r takes a whole number from 1"),
        ("%memit -r x f()", "-r takes a whole number from 1"),
        ("%memit -t -1 f()", "-t takes a number of seconds from 0"),
        ("%memit -i 0 f()", "-i takes a number of seconds above 0"),
        ("%memit -z f()", "unknown option -z"),
        ("%memit --vs gone f()", "there is no run 'gone' yet: keep one with --name"),
    ],
)
def test_wrong_use_is_one_line(session: Session, line: str, message: str) -> None:
    assert message in session.run(line).usage_error


def test_a_syntax_error_points_into_the_cell(session: Session) -> None:
    error = session.run("%%memit\nx = 1\ny = )").error
    assert isinstance(error, SyntaxError)
    assert error.lineno == 3


def test_html_of_a_real_result(session: Session, tmp_path: Path) -> None:
    session.run("def f(n):\n    return [bytes(1000) for _ in range(n)]")
    result = session.run("%memit -q -o x = f(2000)").value
    html = result._repr_mimebundle_()["text/html"]
    assert "resident, at the peak" in html
    assert "still alive" in html and "return [bytes" in html
    result.to_html(tmp_path / "r.html")
