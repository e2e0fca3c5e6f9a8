from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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
