"""What holds for every test."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from . import apart

# A shell that starts the tests in the background has them ignore Ctrl-C, and Python keeps
# it so: the tests of an interrupt would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example may take, and how long it takes to be made, says more of the machine
# than of us. The examples are the same each time; others are for a thorough run.
settings.register_profile(
    "nbprobe",
    deadline=None,
    derandomize=not os.environ.get("NBPROBE_THOROUGH"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nbprobe")


def pytest_configure(config: pytest.Config) -> None:
    apart.configure(config)


# Files that take longest are begun first: at the end no process waits for another's.
LONGEST = ("test_notebook.py", "test_codebase.py", "test_cpython.py", "test_engines.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """IPython keeps a history, which no two processes are to share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield


@pytest.fixture(scope="module", autouse=True)
def nobody_watches_the_collector() -> None:
    """Hypothesis does so for ever, by a call that comes when it comes and is counted."""
    gc.callbacks[:] = [
        callback
        for callback in gc.callbacks
        if not getattr(callback, "__module__", "").startswith("hypothesis")
    ]


@pytest.fixture(scope="module", autouse=True)
def no_helpers_are_left() -> Iterator[None]:
    yield
    end_helpers()


def end_helpers() -> None:
    """End the processes that multiprocessing and joblib keep: the next ones' children."""
    if loky := sys.modules.get("joblib.externals.loky.reusable_executor"):
        if loky._executor is not None:
            loky._executor.shutdown(wait=True)
    for module, name in (
        ("multiprocessing.forkserver", "_forkserver"),
        ("joblib.externals.loky.backend.resource_tracker", "_resource_tracker"),
        ("multiprocessing.resource_tracker", "_resource_tracker"),
    ):
        if helper := getattr(sys.modules.get(module), name, None):
            helper._stop()
