"""Which lines are one statement, with and without parsing."""

from __future__ import annotations

import ast
import gc
import os
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from nbprobe._core import LineEngine, functions_by_file, logical_lines
from nbprobe.lprun.statements import lines_of_statements, statement_lines

from .conftest import hits

LIBRARY = Path(sysconfig.get_path("stdlib"))
FILES = sorted(LIBRARY.glob("*.py"))[::3] + sorted(LIBRARY.glob("test/test_*str*.py"))
if os.environ.get("NBPROBE_THOROUGH"):
    FILES = sorted(LIBRARY.rglob("*.py"))


def first_lines(text: str) -> list[int]:
    return list(memoryview(logical_lines(text)).cast("i"))


def lines_used(code: CodeType) -> Iterator[int]:
    for _, _, line in code.co_lines():
        if line:
            yield line
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from lines_used(constant)


def test_lines_without_parsing_are_those_of_the_parser() -> None:
    # GIVEN modules of the standard library, and the tests of its strings
    compared = 0
    for path in FILES:
        try:
            with warnings.catch_warnings(), tokenize.open(path) as stream:
                warnings.simplefilter("ignore")
                text = stream.read()
                tree = ast.parse(text)
                used = set(lines_used(compile(tree, str(path), "exec")))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue  # made so that it cannot be read
        # WHEN the first line of each line's statement is found in both ways
        first, parsed = first_lines(text), statement_lines(tree)
        # THEN they agree; but for a pattern that begins a line below its `case (`
        lines = text.splitlines()
        differ = {line for line in used if first[line - 1] != parsed.get(line, line)}
        assert {lines[first[line - 1] - 1].strip() for line in differ} <= {"case ("}
        compared += len(used)
    assert compared > 10_000


def test_text_that_is_not_python_is_refused() -> None:
    for text in ("f(", "'a\nb'", ")", '"""'):
        with pytest.raises(ValueError, match="not Python source"):
            logical_lines(text)
    with pytest.raises(TypeError):
        logical_lines(b"")  # type: ignore[arg-type]


def test_lambda_within_a_statement_has_lines_of_its_own() -> None:
    text = "x = (\n    lambda: (\n        1\n    ),\n)\ny = lambda: (\n    2\n)\n"
    code = compile(text, "lambdas.py", "exec")
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    assert lines_of_statements(code, text) is not None
    assert lines_of_statements(inner[0], text) is None
    assert lines_of_statements(inner[1], text) is not None
    assert lines_of_statements(code, "%magic don't") is None
    assert lines_of_statements(code, text.replace("\n", "\r\n")) is None
    assert lines_of_statements(inner[1], "short = 1") is None


def test_engine_takes_them_for_a_whole_file() -> None:
    text = "\n\ndef f(a):\n    b = [\n        a,\n        a,\n    ]\n    return b\n"
    scope: dict[str, FunctionType] = {}
    exec(compile(text, "whole.py", "exec"), scope)
    engine = LineEngine()
    engine.add(scope["f"], logical_lines(text))
    engine.start()
    scope["f"](1)
    engine.stop()
    assert hits(engine, scope["f"]) == {1: 1, 5: 1}
    other = LineEngine()
    for wrong in (b"\0\0\0\0", b"\2\0\0\0"):
        with pytest.raises(ValueError, match="out of range"):
            other.add(scope["f"], wrong)


def test_every_function_alive_is_found() -> None:
    def here() -> None:
        pass

    closures = [(lambda k=k: k) for k in range(3)]
    found = functions_by_file()[__file__]
    assert here in found
    assert all(each in found for each in closures)
    del found
    before = len(gc.get_referrers(here))
    functions_by_file()
    assert len(gc.get_referrers(here)) == before
