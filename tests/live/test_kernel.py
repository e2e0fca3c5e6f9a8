"""The live display in a real kernel."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

pytestmark = pytest.mark.kernel

DEFINE = """
import threading, time
def work(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
"""


class Kernel:
    """A kernel that shows a run after half a second."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.run("%load_ext nbprobe\n%config LiveDisplay.after = 0.4" + DEFINE)

    def run(self, code: str, *, interrupt_at: int = 0) -> list[tuple[str, Any]]:
        """Run a cell; give its messages, and fail for one of another parent."""
        message = self.client.execute(code, allow_stdin=False)
        got: list[tuple[str, Any]] = []
        end = time.monotonic() + 60
        while True:
            assert time.monotonic() < end, got
            try:
                reply = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            assert reply["parent_header"].get("msg_id") == message
            kind, content = reply["msg_type"], reply["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return got
            if kind not in ("status", "execute_input"):
                got.append((kind, content))
            if interrupt_at and len(got) == interrupt_at:
                self.manager.interrupt_kernel()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = str(tmp_path_factory.mktemp("ipython"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", home)
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            yield Kernel(manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


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


def test_updates_and_then_the_result_in_their_place(kernel: Kernel) -> None:
    texts = shows(kernel.run("%prun work(2)"))
    assert len(texts) >= 4
    assert all("%prun: " in text and "resident" in text for text in texts[:-1])
    assert "work" in texts[-2]
    assert "function calls" in texts[-1] and "resident" not in texts[-1]
    assert "progress" not in texts[-1]


@pytest.mark.parametrize("magic", ["prun --sample", "timeit -n1 -r1", "lprun"])
def test_the_other_magics(kernel: Kernel, magic: str) -> None:
    texts = shows(kernel.run(f"%{magic} work(1.5)"))
    assert len(texts) >= 3 and "resident" in texts[0]
    assert "resident" not in texts[-1]


def test_a_call_that_keeps_the_interpreter_is_explained(kernel: Kernel) -> None:
    texts = shows(
        kernel.run(
            "%%prun --sample\nwork(0.8)\nsorted(range(6_000_000), key=str)\nwork(0.8)"
        )
    )
    assert "one call kept the interpreter for" in texts[-2]
    assert "sorted(range(6_000_000), key=str)" in texts[-2]


def test_ctrl_c(kernel: Kernel) -> None:
    got = kernel.run("%prun work(30)", interrupt_at=3)
    assert got[-1][0] == "error" and got[-1][1]["ename"] == "KeyboardInterrupt"
    texts = shows(got[:-1])
    assert "ended by KeyboardInterrupt" in "".join(texts[-2:])
    assert "function calls" in texts[-1]


def test_nothing_is_left_and_the_next_cells_are_right(kernel: Kernel) -> None:
    threads = printed(kernel.run("print([t.name for t in threading.enumerate()])"))
    assert "MainThread" in threads and "nbprobe live" not in threads
    for number in range(300):
        assert printed(kernel.run(f"print({number} * 7)")) == f"{number * 7}\n"
