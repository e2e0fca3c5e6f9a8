from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Under --import-mode=importlib the folder of a test is not on the path.
_spec = importlib.util.spec_from_file_location(
    "lab", Path(__file__).with_name("lab.py")
)
assert _spec is not None and _spec.loader is not None
lab = sys.modules["lab"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lab)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = lab.why_not()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server on an empty folder (`lab.Lab`)."""
    with lab.server(tmp_path_factory.mktemp("notebooks")) as running:
        yield running


# Not for the session: playwright keeps an event loop running in this thread meanwhile,
# and tests elsewhere start loops of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser to open notebooks in (`lab.browser`)."""
    with lab.browser() as running:
        yield running
