"""Lines and cells become code by IPython's rules, and keep their places."""

from __future__ import annotations

import ast
import os
from collections.abc import Coroutine
from typing import Any

import pytest

import nbprobe
from nbprobe import awaiting

from .shells import Session, bare, session

__all__ = ["bare", "session"]

OURS = os.path.dirname(nbprobe.__file__)


def test_traceback_shows_the_line_as_typed(session: Session) -> None:
    ran = session.run("a = 1\n%timeit -n1 a / 0\nb = 2")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "----> 2 %timeit -n1 a / 0" in ran.stdout
    assert "Cell In[3], line 2" in ran.stdout
    assert "magics/" not in ran.stdout  # nothing of ours


def test_traceback_shows_the_line_of_the_cell(session: Session) -> None:
    ran = session.run("%%timeit x = 1\n\ny = x\ny / 0")
    assert "Cell In[3], line 4" in ran.stdout
    assert "----> 4 y / 0" in ran.stdout


def test_traceback_of_setup_shows_the_first_line(session: Session) -> None:
    ran = session.run("%%timeit x = 1 / 0\nx")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "----> 1 %%timeit x = 1 / 0" in ran.stdout


def test_line_in_a_function_of_an_earlier_cell_is_found(session: Session) -> None:
    session.run("def f():\n    one = 1\n    %timeit -n1 one / 0")
    ran = session.run("f()")
    assert "Cell In[3], line 3" in ran.stdout
    assert "----> 3     %timeit -n1 one / 0" in ran.stdout


@pytest.mark.parametrize("statement", ["return 5", "yield 1", "break", "nonlocal x"])
def test_what_only_our_function_would_allow_is_refused(
    session: Session, statement: str
) -> None:
    ran = session.run(f"%%timeit\nx = 1\n{statement}")
    assert isinstance(ran.error, SyntaxError)
    assert (ran.error.filename or "").startswith("<ipython-input-3-")
    assert ran.error.lineno == 3
    assert "Cell In[3], line 3" in ran.stdout


@pytest.mark.parametrize(
    ("cell", "lineno", "offset", "text"),
    [
        ("%%timeit\n\nx = 1\nif 3 x", 4, 6, "if 3 x"),
        ("x = 1\n%timeit -q x +", 2, 15, "%timeit -q x +"),
        ('%timeit --vs "1 +" 2', 1, 17, '%timeit --vs "1 +" 2'),
        ("%%timeit 3 x\npass", 1, 12, "%%timeit 3 x"),
    ],
)
def test_syntax_error_points_into_the_cell(
    session: Session, cell: str, lineno: int, offset: int, text: str
) -> None:
    error = session.run(cell).error
    assert isinstance(error, SyntaxError)
    assert (error.lineno, error.text) == (lineno, text + "\n")
    assert error.offset is not None and abs(error.offset - offset) <= 1


@pytest.mark.parametrize("magic", ["timeit", "prun", "lprun", "memit", "mprun", "dis"])
@pytest.mark.parametrize("cell", ["\tf()\n  g()", "1 +", "return 3", "x\0", "x = '''"])
def test_of_a_syntax_error_nothing_of_ours_is_shown(
    session: Session, magic: str, cell: str
) -> None:
    ran = session.run(f"%%{magic}\n{cell}")
    assert isinstance(ran.error, SyntaxError)
    shown = ran.stdout + ran.stderr
    assert "Error" in shown and OURS not in shown


@pytest.mark.parametrize("magic", ["timeit", "prun", "lprun", "memit", "mprun"])
def test_of_an_interrupt_while_we_wait_nothing_of_ours_is_shown(
    session: Session, magic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("async def forever(): raise AssertionError")

    def interrupted(coroutine: Coroutine[Any, Any, Any]) -> None:
        coroutine.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(awaiting, "run", interrupted)
    ran = session.run(f"%{magic} await forever()")
    assert isinstance(ran.error, KeyboardInterrupt)
    shown = ran.stdout + ran.stderr
    assert "KeyboardInterrupt" in shown and OURS not in shown


def test_locals_are_seen_and_do_not_leak(session: Session) -> None:
    session.run("shared = 'global'")
    session.run(
        "def f():\n    local = 1\n    shared = 'local'\n    %timeit -o -q -n1 local, shared"
    )
    assert session.run("f()").error is None
    assert "local" not in session.names
    assert session.names["shared"] == "global"


def test_locals_do_not_leak_when_the_code_raises(session: Session) -> None:
    session.run("shared = 'global'")
    session.run("def f():\n    local = 0\n    shared = 1\n    %timeit shared / local")
    assert isinstance(session.run("f()").error, ZeroDivisionError)
    assert "local" not in session.names
    assert session.names["shared"] == "global"


def test_assignments_do_not_leak(session: Session) -> None:
    session.run("%%timeit -n1 fresh = 1\nother = fresh")
    assert not {"fresh", "other"} & set(session.names)


def test_input_is_transformed(session: Session) -> None:
    session.run("%%timeit -n1 -r1\nimport builtins\nbuiltins.seen = !echo hello")
    import builtins

    try:
        assert list(builtins.seen) == ["hello"]  # type: ignore[attr-defined]
    finally:
        del builtins.seen  # type: ignore[attr-defined]


class _Doubler(ast.NodeTransformer):
    """Doubles the integers of the user's code, and remembers what it saw."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value * 2 if type(node.value) is int else node.value
        return ast.copy_location(ast.Constant(value), node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        self.names.add(node.id)
        return node


def test_transformers_see_the_users_code_only(session: Session) -> None:
    doubler = _Doubler()
    session.run("found = []")
    session.shell.ast_transformers.append(doubler)
    session.run("%timeit -n1 -r1 found.append(21)")
    session.shell.ast_transformers.remove(doubler)
    # Executions are not doubled: -n and -r are none of the user's code.
    assert session.names["found"] == [42]
    assert not {name for name in doubler.names if "nbprobe" in name}


def test_a_raising_transformer_is_removed_as_by_ipython(session: Session) -> None:
    class Raising(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            raise RuntimeError("no")

    transformer = Raising()
    session.run("x = 1")
    session.shell.ast_transformers.append(transformer)
    with pytest.warns(UserWarning, match="It will be unregistered"):
        ran = session.shell.run_line_magic("timeit", "-n1 -o -q x")
    assert ran is not None
    assert transformer not in session.shell.ast_transformers


def test_await_works_in_statement_and_setup(session: Session) -> None:
    session.run("import asyncio")
    ran = session.run(
        "%%timeit -o -q -n1 -r2 await asyncio.sleep(0)\nawait asyncio.sleep(0.001)"
    )
    assert ran.error is None
    assert ran.value.best > 0.0009


def test_error_under_await_shows_the_line(session: Session) -> None:
    ran = session.run("import asyncio\n%timeit await asyncio.sleep(0); 1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "----> 2 %timeit await asyncio.sleep(0); 1 / 0" in ran.stdout


def test_system_exit_leaves_as_stock(session: Session) -> None:
    with pytest.warns(UserWarning, match="To exit"):
        ran = session.run("%timeit raise SystemExit(3)")
    assert isinstance(ran.error, SystemExit)


def test_called_from_a_file_it_has_a_place_of_its_own(session: Session) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        session.shell.run_line_magic("timeit", "-n1 1 / 0")
    *_, last = raised.traceback
    assert str(last.path).startswith("<nbprobe ") or "nbprobe" in str(last.path)
    assert last.lineno == 0
