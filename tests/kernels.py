"""Real kernels for tests, whose sockets are files.

A port that was free when it was chosen may be somebody else's by the time it is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

#: How long a kernel may take to start or to run a cell, on a machine with much else to do.
PATIENCE_S = 250


@contextmanager
def started(folder: Path) -> Iterator[KernelManager]:
    """Run a kernel of this Python; its sockets are in `folder`."""
    manager = KernelManager(
        kernel_name="python3", transport="ipc", ip=str(folder / "socket")
    )
    manager.start_kernel()
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def connected(manager: KernelManager) -> BlockingKernelClient:
    """Give a client of a kernel that waits for code."""
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE_S)
    return client
