"""%mprun: what each line does to memory, exact, on functions from anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbprobe import load
from nbprobe.memit.lines import LineMemory

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

MIB = 2**20

DEFINE = """
def doubles(n):
    data = bytearray(n)
    size = len(data + data)
    del data
    return size

def outer(n):
    return doubles(n) + doubles(n)
"""


@pytest.fixture
def defined(session: Session, request: pytest.FixtureRequest) -> Session:
    # A text of its own: functions of an earlier test may still be about, and would be
    # found as well.
    session.run(f"# {request.node.name}{DEFINE}")
    return session


def lines(result: LineMemory, name: str) -> dict[int, tuple[int, ...]]:
    (function,) = (it for it in result.functions if it.name == name)
    return {
        line.number - function.first: (
            line.hits,
            line.net_bytes // MIB,
            line.allocated_bytes // MIB,
            line.freed_bytes // MIB,
            line.peak_bytes // MIB,
        )
        for line in function.lines
    }


def test_the_temporary_within_a_line_is_its_peak(defined: Session) -> None:
    ran = defined.run(f"%mprun -v kept outer({20 * MIB})")
    assert ran.error is None
    found = lines(defined.names["kept"], "doubles")
    assert found[1] == (2, 40, 40, 0, 20)
    assert found[2] == (2, 0, 80, 80, 40)
    assert found[3] == (2, -41, 0, 40, 0)  # bytes, and a header
    assert "    size = len(data + data)" in ran.stdout


def test_memory_profilers_columns_come_first(defined: Session) -> None:
    out = defined.run(f"%mprun -f doubles doubles({20 * MIB})").stdout.splitlines()
    assert out[0].startswith("Filename: ")
    assert out[3].startswith(
        "Line #    Mem usage    Increment  Occurrences       Peak  Allocated"
    )
    assert out[3].endswith("   Line Contents") and set(out[4]) == {"="}
    # The first line has what was there before, the others what they did.
    first = re.match(r" +2 +(\d+\.\d MiB) +(\d+\.\d MiB) +1 +def doubles", out[5])
    assert first and first[1] == first[2]
    assert re.match(r" +3 +\d+\.\d MiB +20\.0 MiB +1 +20 MiB +20 MiB +0 B", out[6])
    assert re.match(r" +5 +\d+\.\d MiB +-20\.0 MiB +1 +0 B +0 B +20 MiB", out[8])


def test_mem_usage_is_what_is_resident(session: Session) -> None:
    # Mapped, not allocated: malloc() may have room that is resident already.
    session.run(
        "import mmap\ndef maps(n):\n    data = mmap.mmap(-1, n)\n"
        "    data.write(bytes(n))\n    data.close()\n"
    )
    result = session.run(f"%mprun -q -r -f maps maps({40 * MIB})").value
    (function,) = result.functions
    used = [line.resident_bytes for line in function.lines]
    assert used[1] - used[2] > 39 * MIB


def test_a_call_is_one_occurrence_whatever_the_first_line(session: Session) -> None:
    session.run(
        "def loops(n):\n    for _ in range(n):\n        bytearray(1000)\n"
        "def counts(n):\n    for number in range(n):\n        yield number"
    )
    ran = session.run("%mprun -v kept [loops(10), loops(5), list(counts(7))]")
    calls = {it.name: it.calls for it in session.names["kept"].functions}
    assert calls == {"loops": 2, "counts": 1}
    assert re.search(r"MiB {12}2 +def loops", ran.stdout), ran.stdout


def test_mem_usage_of_a_line_that_only_returns(session: Session) -> None:
    # What is freed and used again is allocated, and not resident once more.
    session.run(
        "def again():\n    data = bytearray(2**20)\n    del data\n"
        "    data = bytearray(2**20)\n    return data"
    )
    session.run("%mprun -v kept again()")
    *_, last = session.names["kept"].functions[0].lines
    assert last.number == 5
    assert last.resident_bytes > 0


def test_mem_usage_without_reading_it(defined: Session) -> None:
    result = defined.run(f"%mprun -q -r --no-resident doubles({20 * MIB})").value
    (function,) = result.functions
    assert {line.resident_bytes for line in function.lines} == {0}
    usage = [
        used - result.start_rss for used in function.usage(result.start_rss).values()
    ]
    assert [round(used / MIB) for used in usage] == [20, 20, 0, 0]


def test_a_long_function_is_cut_and_its_file_is_not(
    session: Session, tmp_path: Path
) -> None:
    body = "".join(f"    x = {number}\n" for number in range(400))
    session.run(f"def long():\n{body}    y = bytearray(10**6)\n    return x\n")
    ran = session.run(f"%mprun -T {tmp_path / 'all.txt'} -f long long()")
    assert "   ...\n" in ran.stdout and "x = 200\n" not in ran.stdout
    assert "y = bytearray(10**6)" in ran.stdout and len(ran.stdout) < 20_000
    assert (tmp_path / "all.txt").read_text().count("    x = ") == 400


def test_returned_it_is_shown_once(defined: Session) -> None:
    ran = defined.run("%mprun -r -f outer outer(1000)")
    assert isinstance(ran.value, LineMemory)
    assert ran.stdout.count("Line Contents") == 1


def test_only_what_was_named(defined: Session) -> None:
    result = defined.run("%mprun -q -r -f outer outer(1000)").value
    assert [function.name for function in result.functions] == ["outer"]


def test_the_cell_form_and_files(
    defined: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = defined.run(
        "%%mprun -q -o -v kept -T t.txt -f doubles\nx = doubles(5)\ny = 2"
    )
    assert ran.error is None
    assert defined.names["x"] == 10 and defined.names["y"] == 2
    assert "Line Contents" in Path("t.txt").read_text()
    assert "Profile printout saved to text file t.txt" in ran.stdout
    defined.names["kept"].save("k.json")
    assert load("k.json") == defined.names["kept"]
    assert defined.names["kept"].records()[0]["function"] == "doubles"
    assert "white-space:pre" in defined.names["kept"]._repr_mimebundle_()["text/html"]


def test_coroutines_and_generators(session: Session) -> None:
    session.run(
        "import asyncio\nasync def waits():\n    a = bytearray(2**21)\n"
        "    await asyncio.sleep(0)\n    return len(a)\n"
        "def counts():\n    b = bytearray(2**21)\n    yield 1\n    del b\n    yield 2\n"
    )
    result = session.run("%mprun -q -r await waits(); list(counts())").value
    assert lines(result, "waits")[1][2] == 2
    assert lines(result, "counts")[1][2] == 2


def test_an_exception_keeps_what_ran(defined: Session) -> None:
    ran = defined.run("%mprun doubles(1000); 1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "ended early" in ran.stdout and "bytearray(n)" in ran.stdout
    assert not hasattr(defined.names["doubles"].__code__, "probes")
    assert (
        defined.run("%mprun -q -r -f doubles doubles(10)")
        .value.functions[0]
        .lines[0]
        .hits
        == 1
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%mprun", "%mprun: there is no statement to measure"),
        ("%mprun -f nothing_there doubles(1)", "nothing_there"),
        ("%mprun -z f()", "unknown option -z"),
    ],
)
def test_wrong_use_is_one_line(defined: Session, line: str, message: str) -> None:
    assert message in defined.run(line).usage_error


@pytest.mark.parametrize("magic", ["%mprun", "%memdiff"])
def test_a_syntax_error_points_into_the_cell(session: Session, magic: str) -> None:
    ran = session.run(f"{magic} 1 /")
    assert isinstance(ran.error, SyntaxError)
    assert "magics/memit" not in ran.stderr + ran.stdout


def test_children_are_told_where_to_be_measured(defined: Session) -> None:
    (warning,) = defined.run("%mprun -q -o -c doubles(1000)").value.problems
    assert "%lprun --mem --children" in warning and "\n" not in warning
    assert not defined.run("%mprun -q -o doubles(1000)").value.problems
