"""%lprun in a real kernel: shown once, with await, and after Ctrl-C what ran before."""

from __future__ import annotations

import pytest

from ..cell.test_kernel import Kernel, kernel

__all__ = ["kernel"]

pytestmark = pytest.mark.kernel

DEFINE = "def work(n):\n    total = 0\n    for i in range(n):\n        total += i\n"


def test_source_of_the_cell_is_shown_once(kernel: Kernel) -> None:
    kernel.run(DEFINE)
    ran = kernel.run("%lprun work(50)")
    assert ran["error"] is None and ran["stdout"] == ""
    (bundle,) = ran["displays"]
    assert "Could not find file" not in bundle["text/plain"]
    assert "        total += i" in bundle["text/plain"]
    assert "work" in bundle["text/html"] and "<details" in bundle["text/html"]
    assert "line_profiler" not in bundle["text/html"]


def test_cell_with_await_and_a_comparison(kernel: Kernel) -> None:
    kernel.run("import asyncio\nasync def nap():\n    await asyncio.sleep(0.02)")
    first = kernel.run("%%lprun --name nap\nawait nap()\nx = 1")
    assert first["error"] is None
    (bundle,) = first["displays"]
    assert "awaited" in bundle["text/html"]
    second = kernel.run("%lprun --vs nap await nap()")
    assert [" now" in each["text/plain"] for each in second["displays"]] == [
        False,
        True,
    ]


def test_interrupted_it_shows_what_ran_before(kernel: Kernel) -> None:
    kernel.run(
        "import os, signal\ndef stops():\n    x = 1\n    os.kill(os.getpid(), signal.SIGINT)"
    )
    ran = kernel.run("%lprun stops()")
    assert ran["error"] == "KeyboardInterrupt"
    (bundle,) = ran["displays"]
    assert "ended early by KeyboardInterrupt" in bundle["text/plain"]
    assert "    x = 1" in bundle["text/plain"]
