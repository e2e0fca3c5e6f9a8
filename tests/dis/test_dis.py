"""%dis: bytecode beside its source, what was specialised, and where it was hot."""

from __future__ import annotations

import dis
import sys
import textwrap
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

import nbprobe
from nbprobe.dis import Disassembly, disassemble

from ..cell.shells import Session, bare, session
from ..patience import at_best

__all__ = ["bare", "session"]

DEFINE = """
class Point:
    def __init__(self, x):
        self.x = x

def total(points):
    s = 0
    for p in points:
        s += p.x
    return s

def never(x):
    return x + x

points = [Point(i) for i in range(100)]
"""


def instructions(result: Disassembly, name: str) -> list[str]:
    """What instructions of a name have become."""
    (code, *_) = result.codes
    return [each.specialised for each in code.instructions if each.name == name]


def corpus() -> list[Any]:
    import json.decoder
    import textwrap

    return [json.decoder, textwrap, dis, corpus, Path]


@pytest.mark.parametrize("what", corpus(), ids=lambda what: what.__name__)
def test_the_same_instructions_as_dis(what: Any) -> None:
    result = disassemble(what)
    assert result.codes
    for code in result.codes:
        offsets = [each.offset for each in code.instructions]
        assert offsets == sorted(offsets)
    tops = [code for code in result.codes if code.level == 0]
    assert {"wrap"} <= {c.name for c in tops} or what.__name__ != "textwrap"


def test_names_arguments_and_lines_are_those_of_dis() -> None:
    code = corpus.__code__
    ours = disassemble(corpus).codes[0]
    theirs = list(dis.get_instructions(code))
    assert [each.name for each in ours.instructions] == [i.opname for i in theirs]
    assert [each.offset for each in ours.instructions] == [i.offset for i in theirs]
    assert {each.line for each in ours.instructions if each.line} == {
        line for _, _, line in code.co_lines() if line
    }
    # Every byte is an instruction or its cache.
    sizes = [2 + len(each.cache) // 2 for each in ours.instructions]
    assert sum(sizes) == len(code.co_code)
    assert ours.source[str(code.co_firstlineno)] == "def corpus() -> list[Any]:"


def test_what_was_specialised(session: Session) -> None:
    session.run(DEFINE)
    before = session.run("%dis -q -o total").value
    assert before.codes[0].specialised == 0
    assert before.codes[0].adaptive >= 2
    assert "nothing is specialised" in str(before)
    after = session.run('%dis -q -o --warm "total(points)" total').value
    assert instructions(after, "LOAD_ATTR") == ["LOAD_ATTR_INSTANCE_VALUE"]
    assert instructions(after, "BINARY_OP") == ["BINARY_OP_ADD_INT"]
    assert "-> BINARY_OP_ADD_INT" in str(after)
    assert "BINARY_OP_ADD_INT" in after._repr_mimebundle_()["text/html"]


def test_the_cell_runs_once_and_then_the_function_is_shown(session: Session) -> None:
    session.run(DEFINE)
    session.run("runs = []")
    ran = session.run(
        "%%dis -q -v kept total\nruns.append(1)\nfor _ in range(50): total(points)"
    )
    assert ran.error is None
    assert session.names["runs"] == [1]
    assert session.names["kept"].codes[0].specialised >= 2


def test_warm_runs_as_often_as_asked(session: Session) -> None:
    session.run(DEFINE + "\nruns = []")
    session.run('%dis -q --warm "runs.append(1)" --times 7 total')
    assert len(session.names["runs"]) == 7


def test_a_cell_without_a_function_is_not_run(session: Session) -> None:
    ran = session.run("%%dis\ndid = 1\ndef inner(x):\n    return x")
    assert ran.error is None
    assert "STORE_NAME" in ran.stdout and "def inner(x):" in ran.stdout
    assert "  inner  (" in ran.stdout
    assert "did" not in session.names
    flat = session.run("%%dis -q -o --depth 0\ndef inner(x):\n    return x").value
    # %%dis -o of a cell magic gives the value of the cell.
    assert [code.name for code in flat.codes] == ["<module>"]


@pytest.mark.parametrize("profiler", ["prun --sample -q", "prun -q"])
@at_best
def test_heat_comes_from_the_latest_profile(session: Session, profiler: str) -> None:
    session.run(DEFINE)
    session.run(f"%{profiler} for _ in range(20_000): total(points)")
    code = session.run("%dis -q -o total").value.codes[0]
    assert code.heat.source == "%prun"
    assert code.heat.share > 0.5
    if "--sample" in profiler:
        # Lines 7 and 8 of the cell are the loop.
        assert sum(code.heat.lines.values()) == pytest.approx(1)
        assert code.heat.lines.get("7", 0) + code.heat.lines.get("8", 0) > 0.9
    assert session.run("%dis -q -o never").value.codes[0].heat is None


def test_flags_of_dis(session: Session) -> None:
    session.run(DEFINE)
    text = session.run("%dis -C -O total").stdout
    assert "[" in text and "    2 " in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%dis", "which function?"),
        ("%dis print", "no bytecode"),
        ("%dis x = 3", "expression"),
        ("%dis --depth x total", "--depth takes a whole number"),
    ],
)
def test_errors_are_one_line(session: Session, line: str, message: str) -> None:
    error = session.run(line).error
    assert error is not None
    assert message in str(error) and "\n" not in str(error)


def test_what_can_be_disassembled(tmp_path: Path) -> None:
    class Has:
        def method(self) -> int:
            return 1

        @property
        def prop(self) -> int:
            return 2

    generator = (i for i in range(3))
    assert disassemble(Has().method).codes[0].name.endswith("method")
    assert len(disassemble(Has).codes) == 2
    assert disassemble(generator).codes[0].name.endswith("<genexpr>")
    text = disassemble("x = 1\ny = x + 2")
    assert text.codes[0].source["2"] == "y = x + 2"
    assert isinstance(compile("1", "f", "eval"), CodeType)
    assert disassemble(compile("1", "f", "eval")).codes[0].note
    with pytest.raises(TypeError, match="no bytecode"):
        disassemble(3)
    text.save(tmp_path / "dis.json")
    assert nbprobe.load(tmp_path / "dis.json") == text


def test_deep_nesting_and_many_instructions_are_cut() -> None:
    source = "\n".join(f"a{i} = {i} + x" for i in range(3000))
    result = disassemble(source)
    assert "more instructions" in str(result)
    assert len(result._repr_mimebundle_()["text/html"]) < 400_000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_code_that_a_tool_monitors_can_be_read() -> None:
    tool, code = 3, textwrap.dedent.__code__
    sys.monitoring.use_tool_id(tool, "test")
    try:
        sys.monitoring.set_local_events(tool, code, sys.monitoring.events.INSTRUCTION)
        assert textwrap.dedent("  a\n  b") == "a\nb"
        shown = disassemble(textwrap.dedent).codes[0]
        assert [it.name for it in shown.instructions] == [
            it.opname for it in dis.get_instructions(code)
        ]
    finally:
        sys.monitoring.set_local_events(tool, code, 0)
        sys.monitoring.free_tool_id(tool)
