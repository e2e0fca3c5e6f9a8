"""The live display in a real kernel: shown while it runs, and nothing of it afterwards."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from ..kernels import PATIENCE_S, connected, started
from ..patience import at_best

pytestmark = pytest.mark.kernel

CELLS = 300 if os.environ.get("NBPROBE_THOROUGH") else 60

# A call that keeps the interpreter: without the processor, so for as long as it is told.
DEFINE = """
import ctypes, os, tempfile, threading, time
import numpy
hold = ctypes.PyDLL(None).usleep
def loop(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
def multiply(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        square @ square
def held(seconds):
    loop(0.2)
    hold(int(seconds * 1e6))
    loop(0.5)
square = numpy.ones((300, 300))
def there():
    open_files = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            open_files.add(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass  # closed meanwhile, by another thread
    open_files = {file for file in open_files if "history.sqlite" not in file}
    tasks = {"thread " + task for task in os.listdir("/proc/self/task")}
    return open_files | tasks | set(os.listdir(tempfile.gettempdir()))
"""


class Kernel:
    """A kernel that shows a run after a tenth of a second."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client: BlockingKernelClient | None = None
        self.connect()
        self.run("%load_ext nbprobe\n%config LiveDisplay.after = 0.1" + DEFINE)

    def connect(self) -> None:
        """Begin anew to listen: somebody else's cells are none of ours."""
        self.close()
        self.client = connected(self.manager)

    def close(self) -> None:
        if self.client is not None:
            self.client.stop_channels()

    def run(self, code: str, *, interrupt_at: int = 0) -> list[tuple[str, Any]]:
        """Run a cell; give its messages, and fail for one of another parent."""
        assert self.client is not None
        message = self.client.execute(code, allow_stdin=False)
        got: list[tuple[str, Any]] = []
        end = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < end, got
            try:
                reply = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            parent = reply["parent_header"]
            if parent.get("msg_type") == "kernel_info_request":
                continue  # asked for again while the kernel was too busy to answer
            assert parent.get("msg_id") == message
            kind, content = reply["msg_type"], reply["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return got
            if kind not in ("status", "execute_input"):
                got.append((kind, content))
            if interrupt_at and len(got) == interrupt_at:
                self.manager.interrupt_kernel()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("IPYTHONDIR", "TMPDIR"):
            (home / variable).mkdir()
            patch.setenv(variable, str(home / variable))
        with started(home) as manager:
            kernel = Kernel(manager)
            yield kernel
            kernel.close()


def shows(got: list[tuple[str, Any]]) -> list[str]:
    """What one display showed, one after the other."""
    identity = got[0][1]["transient"]["display_id"]
    kinds = [kind for kind, _ in got]
    assert kinds == ["display_data"] + ["update_display_data"] * (len(got) - 1)
    assert {content["transient"]["display_id"] for _, content in got} == {identity}
    return [content["data"]["text/plain"] for _, content in got]


def printed(got: list[tuple[str, Any]]) -> str:
    """What a cell printed, and nothing else came of it."""
    assert {kind for kind, _ in got} == {"stream"}
    return "".join(content["text"] for _, content in got)


RUNS = {
    "prun": "loop",
    "prun --mem": "multiply",
    "prun --sample": "time.sleep",
    "timeit -n1 -r1": "multiply",
    "lprun": "loop",
    "memit": "time.sleep",
    "mprun": "multiply",
}


@pytest.mark.parametrize("magic", RUNS)
@at_best
def test_updates_and_then_the_result_in_their_place(kernel: Kernel, magic: str) -> None:
    *texts, result = shows(kernel.run(f"%{magic} {RUNS[magic]}(0.6)"))
    assert 2 <= len(texts) <= 10
    name = magic.split()[0]
    assert all(text.startswith(f"%{name}: ") for text in texts)
    assert all("resident, at most" in text for text in texts)
    assert "now   " in texts[-1] and RUNS[magic] in texts[-1]
    assert "kept the interpreter" not in texts[-1]
    assert "resident, at most" not in result and "now   " not in result


def test_it_can_be_turned_off(kernel: Kernel) -> None:
    for magic in ("prun", "memit", "mprun"):
        (shown,) = kernel.run(f"%{magic} --no-live time.sleep(0.25)")
        assert shown[0] == "display_data" and not shown[1]["transient"]


@at_best
def test_what_is_shown_is_not_measured(kernel: Kernel) -> None:
    """Nor is what the kernel needs to send it, which is some hundred blocks."""
    for options in ("", "-q"):
        kernel.run(f"%memit {options} -v result time.sleep(0.5)")
        assert int(printed(kernel.run("print(result.runs[0].allocations)"))) < 60


@at_best
def test_a_call_that_keeps_the_interpreter_is_explained(kernel: Kernel) -> None:
    *texts, _ = shows(kernel.run("%prun --sample held(1.3)"))
    assert "one call kept the interpreter for 1." in texts[-1]
    assert "hold(int(seconds * 1e6))" in texts[-1]


@at_best
def test_ctrl_c(kernel: Kernel) -> None:
    got = kernel.run("%prun loop(30)", interrupt_at=2)
    assert got[-1][0] == "error" and got[-1][1]["ename"] == "KeyboardInterrupt"
    texts = shows(got[:-1])
    assert "ended by KeyboardInterrupt" in "".join(texts[-2:])
    assert "function calls" in texts[-1]


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
def test_executed_notebooks_hold_the_result_alone(kernel: Kernel) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("%prun loop(0.5)")]
    client = NotebookClient(notebook, km=kernel.manager)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
        kernel.connect()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert "function calls" in output.data["text/plain"]
    assert "is running" not in output.data["text/html"]


@at_best
def test_nothing_is_left_and_the_next_cells_are_right(kernel: Kernel) -> None:
    kernel.run("before = there()")
    shows(kernel.run("%memit time.sleep(0.3)"))
    assert printed(kernel.run("print(there() - before)")) == "set()\n"
    threads = printed(kernel.run("print([t.name for t in threading.enumerate()])"))
    assert "MainThread" in threads and "nbprobe" not in threads
    for number in range(CELLS):
        assert printed(kernel.run(f"print({number} * 7)")) == f"{number * 7}\n"
