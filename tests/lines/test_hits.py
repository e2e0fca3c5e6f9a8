"""Hit counts against the interpreter's own line events, over a corpus of constructs."""

from __future__ import annotations

import ast
import collections
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from nbprobe._core import LineEngine
from nbprobe.lprun.statements import statement_lines

CORPUS = Path(__file__).with_name("corpus.py")


def load_corpus() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("nbprobe_corpus", CORPUS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions: dict[str, Any] = module.FUNCTIONS
    return functions


FUNCTIONS = load_corpus()
STATEMENTS = statement_lines(ast.parse(CORPUS.read_text()))


def traced_hits(function: Any, n: int) -> collections.Counter[tuple[str, int]]:
    """Times that a frame goes over to another statement, as sys.settrace sees it."""
    hits: collections.Counter[tuple[str, int]] = collections.Counter()
    on: dict[Any, int] = {}

    def trace(frame: Any, event: str, argument: object) -> Any:
        code = frame.f_code
        if code.co_filename != str(CORPUS):
            return None
        if event == "line":
            line = STATEMENTS.get(frame.f_lineno, frame.f_lineno)
            if on.get(frame) != line:
                on[frame] = line
                hits[code.co_qualname, line] += 1
        return trace

    sys.settrace(trace)
    try:
        function(n)
    finally:
        sys.settrace(None)
    return hits


def probed_hits(function: Any, n: int) -> collections.Counter[tuple[str, int]]:
    engine = LineEngine()
    engine.add(function, STATEMENTS)
    engine.start()
    try:
        function(n)
    finally:
        engine.stop()
    assert engine.dropped == 0
    hits: collections.Counter[tuple[str, int]] = collections.Counter()
    for code, how, rows in engine.lines():
        assert how == "probes"
        for row in rows:
            if row[1]:
                hits[code.co_qualname, row[0]] += row[1]
    return hits


@pytest.mark.parametrize("n", [0, 1, 3, 7])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_hits_are_those_of_the_interpreter(name: str, n: int) -> None:
    # GIVEN a function of the corpus
    function = FUNCTIONS[name]
    # WHEN the interpreter traces it, and probes count it
    expected = traced_hits(function, n)
    found = probed_hits(function, n)
    # THEN both agree for every statement
    assert found == expected


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_results_are_the_same(name: str) -> None:
    function = FUNCTIONS[name]
    expected = [function(n) for n in (0, 1, 3, 7)]
    engine = LineEngine()
    engine.add(function, STATEMENTS)
    engine.start()
    found = [function(n) for n in (0, 1, 3, 7)]
    engine.stop()
    assert found == expected


def test_a_statement_over_several_lines_is_hit_once() -> None:
    for name in ("f_multi_line_call", "f_fstring", "f_display", "f_boolean_chain"):
        hits = probed_hits(FUNCTIONS[name], 3)
        first = FUNCTIONS[name].__code__.co_firstlineno + 1
        assert hits[name, first] == 1, name
