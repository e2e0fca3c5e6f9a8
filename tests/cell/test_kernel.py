"""The magics in a real kernel: display, await, Ctrl-C."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from ..kernels import PATIENCE_S, connected, started
from ..patience import at_best

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

pytestmark = pytest.mark.kernel


class Kernel:
    """A kernel with nbprobe loaded."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.run("%load_ext nbprobe\n%config TimeitMagics.budget = 0.01")

    def run(self, code: str, *, interrupt_after: str = "") -> dict[str, Any]:
        """Run a cell; give its streams, its displays and its error.

        With `interrupt_after`, interrupt the kernel once that was printed.
        """
        message = self.client.execute(code, allow_stdin=False)
        got: dict[str, Any] = {
            "stdout": "",
            "stderr": "",
            "displays": [],
            "error": None,
        }
        end = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < end, got
            try:
                reply = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if reply["parent_header"].get("msg_id") != message:
                continue
            content = reply["content"]
            if reply["msg_type"] == "stream":
                got[content["name"]] += content["text"]
                if interrupt_after and interrupt_after in got["stdout"]:
                    interrupt_after = ""
                    self.manager.interrupt_kernel()
            elif reply["msg_type"] in ("display_data", "execute_result"):
                got["displays"].append(content["data"])
            elif reply["msg_type"] == "error":
                got["error"] = content["ename"]
                got["traceback"] = _COLOURS.sub("", "\n".join(content["traceback"]))
            elif reply["msg_type"] == "status" and content["execution_state"] == "idle":
                return got


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home))
        with started(home) as manager:
            client = connected(manager)
            try:
                yield Kernel(manager, client)
            finally:
                client.stop_channels()


def test_result_is_displayed_once_with_its_whole_text(kernel: Kernel) -> None:
    ran = kernel.run("%timeit len('a')")
    (bundle,) = ran["displays"]
    assert ran["stdout"] == ""
    assert "per loop (mean ± std. dev. of" in bundle["text/plain"]
    assert "95 % interval" in bundle["text/plain"]
    assert bundle["text/html"].startswith("<div")


def test_quiet_output_is_the_value_of_the_cell(kernel: Kernel) -> None:
    ran = kernel.run("%timeit -q -o -n1 len('a')")
    (bundle,) = ran["displays"]
    assert set(bundle) == {"text/plain", "text/html"}
    assert kernel.run("%timeit -q -n1 len('a')")["displays"] == []


def test_what_is_returned_too_is_shown_once(kernel: Kernel) -> None:
    first, second = kernel.run("%timeit -n1 -r2 -o len('a')")["displays"]
    assert "text/html" in first
    assert list(second) == ["text/plain"]
    assert re.fullmatch(r"<TimeitResult : .* per loop .*>", second["text/plain"])
    # Later it is a result as any other.
    kernel.run("kept = %timeit -n1 -r2 -o len('a')")
    (later,) = kernel.run("kept")["displays"]
    assert "text/html" in later


def test_capture_has_the_text(kernel: Kernel) -> None:
    assert kernel.run("%%capture seen\n%timeit -n1 -r1 pass")["displays"] == []
    ran = kernel.run("print(seen.stdout, len(seen.outputs))")
    assert re.fullmatch(
        r".* per loop \(mean .* of 1 run, 1 loop each\)\n.* 0\n", ran["stdout"], re.S
    )


def test_redirected_stdout_has_the_text(kernel: Kernel) -> None:
    code = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as seen:\n"
    ran = kernel.run(code + "    %timeit -n1 -r1 pass\nprint(seen.getvalue())")
    assert ran["displays"] == []
    assert "1 run, 1 loop each" in ran["stdout"]


def test_await_works_under_the_kernels_loop(kernel: Kernel) -> None:
    ran = kernel.run(
        "import asyncio, threading\nawait asyncio.sleep(0)\n"
        "%timeit -n2 -r3 await asyncio.sleep(0.001)\nprint(threading.active_count())"
    )
    assert ran["error"] is None
    assert "ms" in ran["displays"][0]["text/plain"]
    # No thread is left.
    assert ran["stdout"] == kernel.run("print(threading.active_count())")["stdout"]


def test_error_shows_the_users_line(kernel: Kernel) -> None:
    ran = kernel.run("%%timeit x = 0\n\nx = x\n1 / x")
    assert ran["error"] == "ZeroDivisionError"
    assert re.search(r"Cell In\[\d+\], line 4", ran["traceback"])
    assert "----> 4 1 / x" in ran["traceback"]
    assert "magics/" not in ran["traceback"]


def test_wrong_use_is_one_line(kernel: Kernel) -> None:
    ran = kernel.run("%timeit --budgt 2 f()")
    assert ran["stderr"].rstrip() == (
        "UsageError: %timeit: unknown option --budgt; did you mean --budget? "
        "%timeit --budget 2 f()"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "time.sleep(0.01)",
        "await asyncio.sleep(0.01)",
        "await asyncio.sleep(0); [number for number in range(100000)]",
    ],
    ids=["plain", "awaits", "hardly yields"],
)
@at_best
def test_interrupt_shows_what_was_measured(kernel: Kernel, statement: str) -> None:
    kernel.run("import asyncio, threading, time\nthreads = threading.active_count()")
    # GIVEN a long measurement that has taken some samples already
    setup = "threading.Timer(0.7, print, ['measuring'], {'flush': True}).start()"
    ran = kernel.run(
        f"{setup}\n%timeit --budget 30 {statement}", interrupt_after="measuring"
    )
    # THEN its partial result is shown, and Ctrl-C reaches the user
    assert ran["error"] == "KeyboardInterrupt"
    (bundle,) = ran["displays"]
    assert "partial" in bundle["text/plain"]
    # AND nothing is left running
    after = kernel.run(
        "import gc\nprint(threading.active_count() - threads, gc.callbacks, gc.isenabled())"
    )
    assert after["stdout"] == "0 [] True\n"


def test_a_coroutine_that_never_yields_is_interrupted(kernel: Kernel) -> None:
    kernel.run("import asyncio, threading\nthreads = threading.active_count()")
    setup = "threading.Timer(0.5, print, ['running'], {'flush': True}).start()"
    ran = kernel.run(
        f"%%timeit {setup}\nawait asyncio.sleep(0)\nwhile True:\n    pass",
        interrupt_after="running",
    )
    assert ran["error"] == "KeyboardInterrupt"
    after = kernel.run("print(threading.active_count() - threads)")
    assert after["stdout"] == "0\n"


def test_completion_in_the_kernel(kernel: Kernel) -> None:
    message = kernel.client.complete("%timeit --bu")
    while True:
        reply = kernel.client.get_shell_msg(timeout=PATIENCE_S)
        if reply["parent_header"].get("msg_id") == message:
            break
    assert reply["content"]["matches"] == ["--budget"]


def test_unload_gives_the_built_in_back(kernel: Kernel) -> None:
    kernel.run("%unload_ext nbprobe")
    try:
        ran = kernel.run("%timeit -n1 -r1 pass")
        assert "1 run, 1 loop each" in ran["stdout"]
    finally:
        kernel.run("%load_ext nbprobe")
