"""The memory magics in a real kernel: displays, await, Ctrl-C, and nothing left behind."""

from __future__ import annotations

import re

import pytest

from ..cell.test_kernel import Kernel, kernel

__all__ = ["kernel"]

pytestmark = pytest.mark.kernel

STOCK = r"peak memory: \d+\.\d\d MiB, increment: -?\d+\.\d\d MiB\n"


def test_memit_is_displayed_once_with_its_whole_text(kernel: Kernel) -> None:
    ran = kernel.run("%memit x = bytearray(50 * 2**20)")
    assert ran["error"] is None and ran["stdout"] == ""
    (bundle,) = ran["displays"]
    assert re.match(STOCK, bundle["text/plain"])
    assert re.search(r"\nallocated +50 MiB in \d+ blocks?\n", bundle["text/plain"])
    assert "nbprobe" not in bundle["text/plain"]
    assert "resident, at the peak" in bundle["text/html"]


def test_memit_awaits_and_compares(kernel: Kernel) -> None:
    kernel.run("import asyncio")
    ran = kernel.run(
        "%%memit --name first\ny = await asyncio.sleep(0.01, bytearray(2**21))"
    )
    assert ran["error"] is None
    measured, change = kernel.run("%memit --vs first bytearray(2**22)")["displays"]
    assert re.match(STOCK, measured["text/plain"])
    assert "peak allocated" in change["text/plain"]


def test_interrupted_memit_shows_what_was_measured(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%memit import time\nkept = bytearray(2**20)\n"
        "print('begun', flush=True)\ntime.sleep(30)",
        interrupt_after="begun",
    )
    assert ran["error"] == "KeyboardInterrupt"
    (bundle,) = ran["displays"]
    assert "ended early" in bundle["text/plain"]
    assert "nbprobe/memit" not in ran["traceback"]


def test_mprun_shows_the_source_of_a_cell(kernel: Kernel) -> None:
    kernel.run(
        "async def doubles(n):\n    data = bytearray(n)\n    return len(data + data)"
    )
    ran = kernel.run("%mprun await doubles(40 * 2**20)")
    assert ran["error"] is None
    (bundle,) = ran["displays"]
    head, _, *rows = bundle["text/plain"].splitlines()[3:8]
    assert head.split()[:6] == ["Line", "#", "Mem", "usage", "Increment", "Occurrences"]
    assert "80 MiB" in rows[2] and "return len(data + data)" in rows[2]
    assert "Mem usage" in bundle["text/html"]


def test_memdiff_shows_what_a_cell_leaves(kernel: Kernel) -> None:
    (bundle,) = kernel.run("%memdiff left = bytearray(10 * 2**20)")["displays"]
    assert "10 MiB" in bundle["text/plain"] and "bytearray" in bundle["text/html"]
    assert "counting from now on" in kernel.run("%memdiff")["stdout"]
    kernel.run("more = bytearray(20 * 2**20)")
    (bundle,) = kernel.run("%memdiff")["displays"]
    assert "20 MiB" in bundle["text/plain"]
    kernel.run("import nbprobe.memit; nbprobe.memit.stop()")


def test_memwatch_says_a_line_after_each_cell(kernel: Kernel) -> None:
    kernel.run("%memwatch on")
    ran = kernel.run("z = bytearray(30 * 2**20)")
    assert re.search(r"allocated 30[.\d]* MiB, kept \+30[.\d]* MiB\n", ran["stdout"])
    ran = kernel.run("1 / 0")
    assert ran["error"] == "ZeroDivisionError" and "allocated" in ran["stdout"]
    assert "z = bytearray" in kernel.run("%memwatch table")["stdout"]
    kernel.run("%memwatch off")
    assert kernel.run("z = 1")["stdout"] == ""


def test_memlimit_interrupts_a_cell_and_no_other(kernel: Kernel) -> None:
    kernel.run("from nbprobe._core import resident\nimport time\ndata = []")
    kernel.run("limit = f'{resident() // 2**20 + 150}M'")
    kernel.run("get_ipython().run_line_magic('memlimit', limit)")
    ran = kernel.run(
        "for _ in range(3000):\n    data.append(bytearray(2**20))\n    time.sleep(0.001)"
    )
    assert ran["error"] == "MemoryLimit"
    assert "the limit is" in ran["traceback"] and "data" in ran["traceback"]
    ran = kernel.run("print(100 < len(data) < 3000); data.clear(); time.sleep(0.05)")
    assert (ran["error"], ran["stdout"]) == (None, "True\n")
    kernel.run("%memlimit off")


def test_wrong_use_is_one_line(kernel: Kernel) -> None:
    for line, message in (
        ("%memit -r 0 f()", "-r takes a whole number from 1"),
        ("%memlimit 1M", "is below what is in use"),
        ("%mprun -f nothing_there f()", "nothing_there"),
    ):
        ran = kernel.run(line)
        (said,) = ran["stderr"].strip().splitlines()
        assert message in said


def test_nothing_is_left_on(kernel: Kernel) -> None:
    ran = kernel.run(
        "import ctypes, signal, sys, threading\n"
        "def state():\n"
        "    hooks = []\n"
        "    for domain in range(3):\n"
        "        table = (ctypes.c_void_p * 5)()\n"
        "        ctypes.pythonapi.PyMem_GetAllocator(domain, table)\n"
        "        hooks.append(bytes(table))\n"
        "    return (hooks, signal.getsignal(signal.SIGINT), sys.gettrace(),\n"
        "            sorted(thread.name for thread in threading.enumerate()))\n"
        "before = state()\n"
        "def work(): return bytearray(1000)\n"
    )
    assert ran["error"] is None
    for line in (
        "%memit work()",
        "%mprun work()",
        "%memdiff work()",
        "%memit -c 1 / 0",
    ):
        kernel.run(line)
    for word in ("%memwatch on", "%memlimit 100G", "%memlimit off", "%memwatch off"):
        assert kernel.run(word)["error"] is None
    ran = kernel.run("print(state() == before)")
    assert ran["stdout"] == "True\n"
