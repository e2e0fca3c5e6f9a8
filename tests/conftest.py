"""What holds for every test."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and Python keeps
# it so: the tests of an interrupt would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example may take says more of the machine than of us.
settings.register_profile("nbprobe", deadline=None)
settings.load_profile("nbprobe")


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
