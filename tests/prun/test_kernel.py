"""%prun in a real kernel: shown once, with await, and after Ctrl-C what ran before."""

from __future__ import annotations

import html

import pytest

from ..cell.test_kernel import Kernel, kernel

__all__ = ["kernel"]

pytestmark = pytest.mark.kernel


def test_the_profile_is_displayed_once_with_its_whole_text(kernel: Kernel) -> None:
    ran = kernel.run("%prun sorted([3, 1, 2])")
    (bundle,) = ran["displays"]
    assert ran["stdout"] == ""
    assert "{built-in method builtins.sorted}" in bundle["text/plain"]
    assert "Ordered by: internal time" in bundle["text/plain"]
    assert "By own time" in bundle["text/html"]


def test_a_comparison_is_displayed_after_it(kernel: Kernel) -> None:
    kernel.run("%prun -q --name first sorted([3, 1, 2])")
    profile, difference = kernel.run("%prun --vs first sorted(range(10**6))")[
        "displays"
    ]
    assert "function calls" in profile["text/plain"]
    assert "Slower: +" in difference["text/plain"]


def test_the_threads_of_the_kernel_are_left_out(kernel: Kernel) -> None:
    # Printing wakes the thread that sends what is printed.
    ran = kernel.run(
        "import time\ndef talk():\n"
        "    for turn in range(20): print(turn, flush=True); time.sleep(0.005)\n"
        "%prun talk()"
    )
    (bundle,) = ran["displays"]
    assert "(talk)" in bundle["text/plain"] and "epoll" not in bundle["text/plain"]
    assert "in 1 thread" in bundle["text/html"]
    assert "the kernel's own: " in html.unescape(bundle["text/html"])


def test_await_runs_on_a_loop(kernel: Kernel) -> None:
    ran = kernel.run("import asyncio\n%prun --tasks await asyncio.sleep(0.01)")
    assert ran["error"] is None
    (bundle,) = ran["displays"]
    assert "(sleep)" in bundle["text/plain"]


def test_interrupted_it_shows_what_ran_before(kernel: Kernel) -> None:
    ran = kernel.run(
        "import time\ndef busy():\n    print('begun', flush=True)\n"
        "    while True: time.sleep(0.01)\n%prun busy()",
        interrupt_after="begun",
    )
    assert ran["error"] == "KeyboardInterrupt"
    (bundle,) = ran["displays"]
    assert "(busy)" in bundle["text/plain"] and "ended early" in bundle["text/plain"]
    assert kernel.run("import sys; print(sys.getprofile())")["stdout"] == "None\n"
