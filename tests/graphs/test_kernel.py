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


@pytest.mark.parametrize(
    ("make", "expression"),
    [
        ("cache = {'rows': [Big()]}\ncache", "cache['rows'][0]"),
        ("first = second = [Big()]", "first[0]"),
        ("[Big()]", "_[0]"),
        (
            "import functools\nclass Service(Big):\n"
            "    @functools.cache\n    def ask(self): return 1\n"
            "s = Service()\nanswer = s.ask()",
            "s",
        ),
        (
            "import asyncio\nasync def wait(it):\n    await asyncio.sleep(1000)\n"
            "task = asyncio.create_task(wait(Big()))\nawait asyncio.sleep(0)",
            "task.get_coro().cr_frame.f_locals['it']",
        ),
    ],
)
def test_what_is_held_in_another_way_goes_too(
    kernel: Kernel, make: str, expression: str
) -> None:
    kernel.run("import gc, weakref\nclass Big: pass")
    kernel.run(make)
    kernel.run(f"w = weakref.ref({expression})")
    kernel.run(
        f"result = %why -q -o {expression}\nadvice = [it.advice for it in result.holders]\nresult"
    )
    advice = ast.literal_eval(kernel.run("print(advice)")["stdout"])
    assert advice and all(advice)
    for lines in advice:
        kernel.run(lines)
    kernel.run("await __import__('asyncio').sleep(0)")
    assert kernel.run("gc.collect(); print(w())")["stdout"] == "None\n"


def test_a_picture_is_one_display_with_its_text(kernel: Kernel) -> None:
    kernel.run("held = [[1]]")
    ran = kernel.run("%show_backrefs held[0]")
    (data,) = ran["displays"]
    assert data["text/html"].count("<img src=") == 1
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert data["text/plain"].startswith("list  1 items")
    assert ran["stdout"] == ""


def test_a_picture_names_the_history_once(kernel: Kernel) -> None:
    kernel.run("class Shown: pass\nshown = [Shown()]\nshown[0]")
    number = int(kernel.run("print(len(In) - 2)")["stdout"])
    kernel.run(
        "import nbprobe.graphs as graphs\npicture = graphs.show_backrefs(shown[0])"
    )
    names = kernel.run("print([it.names for it in picture.references])")["stdout"]
    assert f"Out[{number}]" in names and "['_" not in names
    kernel.run("other = shown.pop()")
    kernel.run("picture = graphs.show_backrefs(other)")
    names = kernel.run("print([it.names for it in picture.references])")["stdout"]
    assert f"Out[{number}]" in names and "['other']" in names and "['_" not in names


def test_what_keeps_most_alive_has_the_users_name(kernel: Kernel) -> None:
    kernel.run(
        "class Frame:\n    def __init__(self):\n        self._blocks = (bytes(30_000_000),)"
    )
    kernel.run("frame = Frame()\nframe")
    number = int(kernel.run("print(len(In) - 2)")["stdout"])
    kernel.run("seen = %heap -q -o")
    ask = (
        "print([(it.holder, it.place) for it in seen.biggest"
        " if it.type == '__main__.Frame'])"
    )
    ((name, place),) = ast.literal_eval(kernel.run(ask)["stdout"])
    assert (name, place) == ("frame", "variable of __main__")
    kernel.run("from nbprobe.graphs import hpy\nway = hpy().iso(frame._blocks).sp")
    assert kernel.run("print(way)")["stdout"] == " 0: frame._blocks\n"
    kernel.run("del frame")
    kernel.run("seen = %heap -q -o")
    ((name, place),) = ast.literal_eval(kernel.run(ask)["stdout"])
    assert name == f"Out[{number}]"
    assert place == "in IPython's history of outputs"
    kernel.run("%reset -f out")


def test_growth_between_cells_of_a_notebook(kernel: Kernel) -> None:
    kernel.run(
        "class Order:\n    def __init__(self):\n        self.rows = [bytes(500)]\norders = []"
    )
    kernel.run("%growth -q")
    kernel.run("orders += [Order() for _ in range(300)]")
    (data,) = kernel.run("%growth")["displays"]
    assert sorted(data) == ["text/html", "text/plain"]
    text = data["text/plain"]
    assert "__main__.Order" in text and "orders[…]" in text
    # What the kernel keeps of a cell and its reply is nobody's growth.
    number = int(kernel.run("%growth -q\nprint(len(In) - 1)")["stdout"])
    kernel.run("pass")
    kernel.run("quiet = %growth -q -o")
    found = kernel.run("print([it.holder for it in quiet.clusters])")["stdout"]
    assert "orders" not in found and "ipykernel" not in found
    found = kernel.run("print([it.type for it in quiet.clusters], quiet.since)")
    assert "coroutine" not in found["stdout"] and "_asyncio" not in found["stdout"]
    assert found["stdout"].endswith(f"%growth in cell {number}\n")
    # What a task of the user's holds is his, although the kernel's loop runs it.
    kernel.run(
        "import asyncio\nasync def wait():\n    mine = [Order() for _ in range(100)]\n"
        "    await asyncio.sleep(1000)\ntask = asyncio.create_task(wait())"
    )
    kernel.run("tasks = %growth -q -o")
    found = kernel.run("print([(it.name, it.count) for it in tasks.types])")
    assert "('__main__.Order', 100)" in found["stdout"]
    kernel.run("task.cancel()")


def test_the_heap_and_variables_of_a_notebook(kernel: Kernel) -> None:
    kernel.run("import bisect\nlarge = [bytes(1_000_000) for _ in range(9)]")
    (data,) = kernel.run("%heap")["displays"]
    assert "What alone keeps most alive" in data["text/plain"]
    assert "large" in data["text/plain"]
    (data,) = kernel.run("%sizes")["displays"]
    lines = data["text/plain"].splitlines()
    (row,) = [line for line in lines if line.split()[:1] == ["large"]]
    assert "MiB" in row
    assert not [line for line in lines if line.split()[:1] == ["bisect"]]


def test_garbage_and_references_of_a_notebook(kernel: Kernel) -> None:
    kernel.run("import gc\nclass Ring: pass\ngc.collect(); gc.disable()")
    kernel.run("ring = Ring(); ring.me = ring; del ring")
    (data,) = kernel.run("%cycles")["displays"]
    assert "__main__.Ring" in data["text/plain"]
    ran = kernel.run("%%cycles\ngc.collect()\n1 / 0")
    assert ran["error"] == "ZeroDivisionError"
    assert "1 collection in" in str(ran["displays"]) + ran["stdout"]
    kernel.run("gc.enable()\nx = Ring(); held = {'k': x}")
    (data,) = kernel.run("%refcount x")["displays"]
    assert "held['k']" in data["text/plain"]
    ran = kernel.run("%sizes nothing")
    assert ran["error"] is None or ran["error"] == "UsageError"
    assert ran["stderr"].count("\n") <= 1 and ran["displays"] == []
