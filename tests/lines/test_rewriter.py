"""Code with probes is the same code, and what cannot be read is left alone."""

from __future__ import annotations

import dis
import opcode
import re
import sys
import sysconfig
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from nbprobe._core import LineEngine

from .conftest import hits, how, measuring, sealed

LIBRARY = Path(sysconfig.get_path("stdlib"))
TABLES = Path(__file__).parents[2] / "csrc" / "core" / "opcodelist.h"


def library_codes() -> list[CodeType]:
    """The modules of the standard library, without its tests and what pip put in."""
    codes = []
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).parts
        if {"site-packages", "test", "tests", "idlelib", "lib2to3"} & set(parts):
            continue
        # Python has most of them compiled already.
        code = SourceFileLoader("library", str(path)).get_code("library")
        assert code is not None
        codes.append(code)
    return codes


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_the_whole_standard_library_is_understood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    # GIVEN every code object of the standard library, nested ones included
    engine = LineEngine()
    # WHEN the rewriter reads it and writes it again: it refuses what differs in a byte
    n = sum(engine.add(code) for code in library_codes())
    # THEN nothing is refused
    refused = [code.co_qualname for code, how, _ in engine.lines() if how != "probes"]
    assert refused == []
    assert n > 10_000


def without_probes(code: CodeType) -> list[tuple[Any, ...]]:
    """Name, place in the source and argument (but of jumps) of the user's instructions."""
    kept: list[tuple[Any, ...]] = []
    skip = 0
    for i in dis.get_instructions(code):
        is_constant = i.opname == "LOAD_CONST"
        if is_constant and type(i.argval).__name__.endswith("Probe"):
            skip = 3
        if skip == 0 and i.opname not in ("EXTENDED_ARG", "CACHE"):
            argument = None if i.opcode in dis.hasjrel else i.arg
            kept.append((i.opname, i.positions, argument))
        skip = max(0, skip - 1)
    if sys.version_info < (3, 12):  # there, a SEND is written twice with a jump over it
        kept = [i for i in kept if i[0] not in ("SEND", "JUMP_FORWARD")]
    return kept


@pytest.mark.parametrize(
    "name", ["argparse.py", "typing.py", "asyncio/tasks.py", "contextlib.py"]
)
def test_every_instruction_keeps_its_place_in_the_source(name: str) -> None:
    # GIVEN a module and its instrumented code
    path = LIBRARY / name
    module = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    engine = LineEngine()
    engine.add(module)
    for code, _, _ in engine.lines():
        # WHEN the probes are left out again
        *found, tail = without_probes(engine.replacement(code))
        # THEN what is left is the original, and the end of our own handler
        assert found == without_probes(code), code.co_qualname
        assert tail[0] == "RERAISE"


#: Which versions the rows of the list are for.
GROUPS = {
    "ALL": (11, 12, 13),
    "TO_312": (11, 12),
    "FROM_312": (12, 13),
    "ONLY_311": (11,),
    "ONLY_313": (13,),
}


def test_the_opcode_tables_are_those_of_the_interpreter() -> None:
    # GIVEN the rows of the list that this version takes
    minor = sys.version_info.minor
    rows = re.findall(r"(\w+)\((\w+), ([A-Z_ |0]+), ([\d, ]+)\)", TABLES.read_text())
    mine = [row for row in rows if minor in GROUPS[row[0]]]
    assert len(mine) > 100
    caches = opcode._inline_cache_entries  # type: ignore[attr-defined]
    for group, name, traits, numbers in mine:
        at = 2 * GROUPS[group].index(minor)
        number, units = (int(n) for n in numbers.split(", ")[at : at + 2])
        # THEN its numbers and caches are the interpreter's own
        assert opcode.opmap[name] == number, name
        expected = caches.get(name, 0) if isinstance(caches, dict) else caches[number]
        assert expected == units, name
        # AND what it says of jumps is true
        jumps = "FORTH" in traits or "BACK" in traits
        assert jumps == (number in opcode.hasjrel), name
        assert ("BACK" in traits) == ("BACKWARD" in name), name


def probes_in(engine: LineEngine, function: Any) -> list[str]:
    """The kinds of the probes that the instrumented code runs, in order."""
    return [
        type(i.argval).__name__.removesuffix("Probe")
        for i in dis.get_instructions(engine.replacement(function.__code__))
        if i.opname == "LOAD_CONST" and type(i.argval).__name__.endswith("Probe")
    ]


def test_probes_with_nothing_between_them_are_one() -> None:
    def numbers(n: int) -> Any:
        for i in range(n):  # noqa: UP028
            yield i

    def half(n: int) -> int:
        if n % 2:
            return 0
        return n // 2

    # GIVEN lines that do nothing but yield or return, and one that computes
    engine = LineEngine()
    engine.add(numbers)
    engine.add(half)
    # THEN each of the former takes one probe, and going on after a yield takes none
    assert "Resume" not in probes_in(engine, numbers)
    assert probes_in(engine, numbers).count("Pause") == 1
    assert "Suspend" not in probes_in(engine, numbers)
    kinds = probes_in(engine, half)
    assert kinds.count("Last") == 1
    assert kinds[-3:] == ["Line", "Leave", "Leave"]


def test_a_body_of_3000_lines() -> None:
    # GIVEN a loop so long that all its jumps and constants need prefixes
    body = "\n".join(f"        x += {1000 + k}" for k in range(3000))
    scope: dict[str, Any] = {}
    exec(
        f"def long(n):\n    x = 0\n    for _ in range(n):\n{body}\n    return x\n",
        scope,
    )
    function = scope["long"]
    expected = function(3)
    # WHEN it runs with probes
    with measuring(function) as engine:
        assert function(3) == expected
    # THEN every line was counted
    counted = hits(engine, function)
    assert counted[2] == 4
    assert set(counted[line] for line in range(3, 3003)) == {3}


def test_what_does_not_round_trip_is_measured_by_events() -> None:
    def guarded(n: int) -> int:
        try:
            return 10 // n
        except ZeroDivisionError:
            return 0

    function: Any = sealed(guarded)
    with measuring(function) as engine:
        assert [function(n) for n in (0, 5)] == [0, 2]
        assert "probes" not in how(engine, function)
    assert hits(engine, function) == {1: 2, 2: 2, 3: 1, 4: 1}


def test_events_for_a_generator_that_cannot_be_rewritten() -> None:
    def numbers(n: int) -> Any:
        for i in range(n):
            try:
                yield i
            except ValueError:
                yield -1

    function: Any = sealed(numbers)
    with measuring(function) as engine:
        g = function(2)
        assert [next(g), g.throw(ValueError), next(g)] == [0, -1, 1]
        assert list(g) == []
    assert hits(engine, function) == {1: 3, 2: 2, 3: 2, 4: 1, 5: 1}
    rows = {row[0]: row for row in engine.lines()[0][2]}
    assert rows[function.__code__.co_firstlineno + 3][4] > 0


def test_code_nested_in_code_that_cannot_be_rewritten_has_probes() -> None:
    def outer() -> int:
        def inner() -> int:
            return 1

        try:
            return inner()
        finally:
            inner()

    function: Any = sealed(outer)
    with measuring(function) as engine:
        assert function() == 1
    found = {
        code.co_name: (how, sum(row[1] for row in rows))
        for code, how, rows in engine.lines()
    }
    assert found["inner"] == ("probes", 2)
    assert found["outer"][0] in ("monitoring", "trace")
    assert found["outer"][1] == 4


def test_tracebacks_keep_lines_and_columns() -> None:
    def fails(values: list[int]) -> int:
        return values[0] + values[5]

    def positions() -> list[Any]:
        try:
            fails([1])
        except IndexError as error:
            assert error.__traceback__ is not None
            tb = error.__traceback__.tb_next
            assert tb is not None
            all_positions = list(tb.tb_frame.f_code.co_positions())
            return [tb.tb_lineno, all_positions[tb.tb_lasti // 2]]
        return []

    expected = positions()
    with measuring(fails):
        assert positions() == expected


def test_the_docstring_stays_the_first_constant() -> None:
    def documented() -> None:
        """What it does."""

    with measuring(documented):
        assert FunctionType(documented.__code__, {}).__doc__ == "What it does."
