"""``code.replace`` on functions that are measured."""

from __future__ import annotations

import copy
import inspect
import sys
import types
from types import CodeType, FunctionType
from typing import Any

import pytest

from nbprobe._core import LineEngine

from .conftest import hits, measuring


def guarded(n: int) -> int:
    try:
        return 10 // n
    except ZeroDivisionError:
        return -1


def fails(n: int) -> int:
    return 1 // n


def run(code: CodeType, *args: Any) -> Any:
    return FunctionType(code, globals())(*args)


def test_another_body_never_meets_the_handlers_of_the_probes() -> None:
    # GIVEN a short body, and a function whose handlers reach far beyond it
    expected = run(fails.__code__, 5)
    with measuring(guarded, fails):
        measured = fails.__code__
        # WHEN the body is put into the code of a function that is measured
        new = measured.replace(co_code=fails_code(), co_consts=(None, 1))
        # THEN it runs as it would without a profile, also when it raises
        assert run(new, 5) == expected
        with pytest.raises(ZeroDivisionError):
            run(new, 0)


def fails_code() -> bytes:
    return compile("def f(n): return 1 // n", "", "exec").co_consts[0].co_code  # type: ignore[no-any-return]


def test_what_is_replaced_is_the_users_own_code() -> None:
    plain = guarded.__code__.replace(co_name="renamed")
    with measuring(guarded) as engine:
        assert guarded.__code__.replace(co_name="renamed") == plain
        assert CodeType.replace(guarded.__code__, co_name="renamed") == plain
        assert guarded.__code__.replace() == engine.lines()[0][0]
        assert [run(plain, n) for n in (5, 0)] == [2, -1]
    assert hits(engine, guarded) == {}


def test_a_function_that_changes_over_to_changed_code() -> None:
    def numbers() -> Any:
        yield 1

    engine = LineEngine()
    engine.add(numbers)
    engine.start()
    types.coroutine(numbers)  # which gives it new flags
    assert list(numbers()) == [1]
    engine.stop()
    assert numbers.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    assert not [c for c in numbers.__code__.co_consts if "Probe" in repr(type(c))]


def test_constants_may_be_exchanged() -> None:
    with measuring(guarded):
        code = guarded.__code__
        constants = tuple(-2 if c == -1 else c for c in code.co_consts)
        new = code.replace(co_consts=constants)
        assert [run(new, n) for n in (5, 0)] == [2, -2]


def test_code_that_was_read_with_probes() -> None:
    # GIVEN the bytes of code with probes
    with measuring(guarded) as engine:
        code = guarded.__code__
        # WHEN they are written as they are, or with as many bytes
        same = code.replace(co_code=code.co_code)
        assert [run(same, n) for n in (5, 0)] == [2, -1]
        assert sum(row[1] for row in engine.lines()[0][2]) == 6
        # THEN that works; and what cannot be right is refused
        longer = code.co_code + code.co_code[-2:]
        for fields in (
            {"co_code": longer},
            {"co_code": code.co_code[:-2]},
            {"co_code": code.co_code, "co_consts": (None,)},
        ):
            with pytest.raises(ValueError, match="has a profiler's probes"):
                code.replace(**fields)


def test_wrong_arguments_are_refused_as_ever() -> None:
    with measuring(guarded):
        for function in (guarded, fails):
            with pytest.raises(TypeError):
                function.__code__.replace(co_code="text")  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                function.__code__.replace(nonsense=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            CodeType.replace()  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            CodeType.replace(3)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace came with 3.13")
def test_copy_replace() -> None:
    with measuring(guarded):
        new = copy.replace(guarded.__code__, co_name="x")  # type: ignore[attr-defined]
        assert new.co_name == "x"
        assert len(new.co_consts) == len(guarded.__code__.replace().co_consts)


def test_two_engines() -> None:
    plain = guarded.__code__
    engines = [LineEngine(), LineEngine()]
    for engine in engines:
        engine.add(guarded)
        engine.start()
    assert guarded.__code__.replace() == plain
    engines[0].stop()
    assert guarded.__code__.replace() == plain
    engines[1].stop()


def test_the_type_has_its_own_method_again() -> None:
    before = CodeType.__dict__["replace"]
    with measuring(guarded):
        kept = guarded.__code__.replace
        assert CodeType.__dict__["replace"] is not before
        with measuring(fails):
            pass
        assert CodeType.__dict__["replace"] is not before
    assert CodeType.__dict__["replace"] is before
    # A method that was kept goes on to work, on code that has probes no longer.
    assert run(kept(co_name="kept"), 5) == 2
