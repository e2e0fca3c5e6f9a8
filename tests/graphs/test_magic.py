"""``%show_refs``, ``%show_backrefs`` and ``%why``, through a real shell."""

from __future__ import annotations

import re

import pytest

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]


@pytest.mark.parametrize("name", ["show_refs", "show_backrefs"])
def test_a_picture_is_shown_and_returned(session: Session, name: str) -> None:
    session.run("x = {'a': [1]}")
    ran = session.run(f"%{name} -o --max-depth 1 --refcounts x")
    assert ran.stdout.splitlines()[0] == "dict [1]  1 items"
    assert ran.value.backwards is (name == "show_backrefs")
    assert ran.value.max_depth == 1
    assert session.run(f"%{name} -q x").stdout == ""


def test_names_of_the_caller_are_seen(session: Session) -> None:
    session.run("def f():\n    inner = [[1]]\n    %why inner[0]")
    ran = session.run("f()")
    assert "  inner[0]   in the running function f()" in ran.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%why", "%why: give one expression, as in %why x"),
        ("%why a = 1", "%why: give one expression, as in %why x"),
        ("%why --limit 0 x", "%why: --limit takes a whole number from 1, not '0'"),
        (
            "%show_refs --max-depth -1 x",
            "%show_refs: --max-depth takes a whole number from 0, not '-1'",
        ),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    session: Session, line: str, message: str
) -> None:
    assert session.run(line).usage_error == message


def test_an_expression_that_raises_raises(session: Session) -> None:
    ran = session.run("%why 1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "%why 1 / 0" in ran.stdout


def test_memory_that_will_not_go_away_goes_when_the_advice_is_followed(
    session: Session,
) -> None:
    # GIVEN an object in a variable, in the history, and in a frame of the last error
    session.run(
        "import gc, weakref\nclass Big: pass\nbig = Big(); w = weakref.ref(big)"
    )
    number = session.shell.execution_count
    session.run("big")
    session.run("def fail(argument):\n    raise KeyError\nfail(big)")
    why = session.run("%why -o -q big").value
    assert [holder.origin for holder in why.holders] == [
        "history",
        "notebook",
        "traceback",
    ]
    assert [holder.expression for holder in why.holders] == [
        f"Out[{number}], _",
        "big",
        "argument",
    ]
    assert "fail()" in why.holders[2].place
    # WHEN the variable alone is deleted THEN the object stays
    session.run("del big; gc.collect()")
    assert session.run("w() is not None").value is True
    # WHEN the rest of the advice is followed THEN it goes
    for holder in (why.holders[0], why.holders[2]):
        session.run(holder.advice)
    session.run("gc.collect()")
    assert session.run("w() is None").value is True


def test_a_list_is_the_object_and_not_what_is_in_it(session: Session) -> None:
    session.run("x = [1, 2]")
    ran = session.run("%show_backrefs --max-depth 1 --refcounts x")
    assert ran.stdout.splitlines()[0] == "list [1]  2 items"


def test_what_ipython_hands_over_is_not_shown(session: Session) -> None:
    session.run("x = {'a': [1]}")
    ran = session.run("%show_backrefs --max-depth 2 x")
    assert "local_ns" not in ran.stdout


def test_what_ipython_keeps_is_one_holder(session: Session) -> None:
    session.run("class Thing: pass\nthing = Thing()")
    session.run("thing")
    ran = session.run("%show_backrefs --max-depth 4 thing")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("Thing  at 0x")
    (history,) = [line for line in lines if "IPython  history of outputs" in line]
    # The last result is kept without a name too, which goes without saying.
    assert re.search(r" Out\[\d+\], _ of IPython", history)
    assert "module  __main__" in ran.stdout
    assert "['thing']" in ran.stdout
    assert "Completer" not in ran.stdout and "(bound)" not in ran.stdout
    all_of_it = session.run("%show_backrefs --max-depth 4 --internals thing")
    assert len(all_of_it.stdout.splitlines()) > len(lines) + 3
