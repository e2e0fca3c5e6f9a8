"""Code of a module that is about to run, and defines functions with probes."""

from __future__ import annotations

import pytest

from nbprobe._core import LineEngine

TEXT = """
def outer():
    def inner():
        return 1
    return inner()

class Thing:
    def method(self):
        return outer()

    class Inside:
        rows = [outer() for _ in range(2)]
"""


def test_functions_are_defined_with_probes_until_the_end() -> None:
    code = compile(TEXT, "<module>", "exec")
    before = code.co_consts
    outer, thing = (each for each in before if hasattr(each, "co_code"))
    engine = LineEngine()
    engine.start()
    assert engine.add(outer, None, True) == 2
    engine.prepare(code)
    assert code.co_consts is before  # the code itself, as whoever runs it has it
    assert outer not in before
    names: dict[str, object] = {}
    exec(code, names)
    engine.stop()
    lines = {code.co_name: rows for code, _, rows in engine.lines()}
    assert [row[:2] for row in lines["inner"]] == [(4, 2)]
    assert [row[:2] for row in lines["outer"]] == [(3, 2), (5, 2)]
    # All is as before, that of the class bodies too.
    assert outer in before
    assert thing in before
    assert names["outer"].__code__ is outer  # type: ignore[attr-defined]


def test_methods_are_found_in_class_bodies() -> None:
    code = compile(TEXT, "<module>", "exec")
    (thing,) = (
        each for each in code.co_consts if getattr(each, "co_name", "") == "Thing"
    )
    (method,) = (
        each for each in thing.co_consts if getattr(each, "co_name", "") == "method"
    )
    engine = LineEngine()
    engine.start()
    engine.add(method, None, True)
    engine.prepare(code)
    names: dict[str, object] = {}
    exec(code, names)
    names["Thing"]().method()  # type: ignore[operator]
    engine.stop()
    assert [row[:2] for row in engine.lines()[0][2]] == [(9, 1)]
    assert method in thing.co_consts


def test_what_cannot_be_prepared() -> None:
    engine = LineEngine()
    with pytest.raises(ValueError, match="not in"):
        engine.prepare(compile("", "<module>", "exec"))
    with pytest.raises(TypeError, match="expected code"):
        engine.prepare("text")  # type: ignore[arg-type]
