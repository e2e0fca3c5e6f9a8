"""Memory that will not go away, in a real kernel: found by ``%why``, and freed."""

from __future__ import annotations

import ast

import pytest

from ..cell.test_kernel import Kernel, kernel

__all__ = ["kernel"]

pytestmark = pytest.mark.kernel


def test_an_object_goes_when_the_advice_of_why_is_followed(kernel: Kernel) -> None:
    kernel.run("import gc, weakref\nclass Big: pass\nbig = Big(); w = weakref.ref(big)")
    kernel.run("big")
    kernel.run("def fail(argument):\n    1 / 0\nfail(big)")
    shown = kernel.run("%why big")["displays"]
    assert [sorted(data) for data in shown] == [["text/html", "text/plain"]]
    kernel.run("result = %why -q -o big\nadvice = [it.advice for it in result.holders]")
    advice = ast.literal_eval(kernel.run("print(advice)")["stdout"])
    assert advice[1] == "del big"
    for lines in advice:
        kernel.run(lines)
    assert kernel.run("gc.collect(); print(w())")["stdout"] == "None\n"


def test_a_picture_is_one_display_with_its_text(kernel: Kernel) -> None:
    kernel.run("held = [[1]]")
    ran = kernel.run("%show_backrefs held[0]")
    (data,) = ran["displays"]
    assert data["text/html"].count("<img src=") == 1
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert data["text/plain"].startswith("list  1 items")
    assert ran["stdout"] == ""
