"""CPython's own tests pass with the standard library and the tests themselves measured."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.corpus

SCRIPT = Path(__file__).with_name("run_instrumented.py")
MODULES = [
    "test_asyncgen",
    "test_contextlib",
    "test_coroutines",
    "test_dataclasses",
    "test_enum",
    "test_except_star",
    "test_exceptions",
    "test_functools",
    "test_generators",
    "test_json",
    "test_listcomps",
    "test_patma",
    "test_traceback",
    "test_with",
]


def outcome(how: str, module: str, folder: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), how, f"test.{module}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_generators") is None,
    reason="this Python was installed without its tests",
)
@pytest.mark.parametrize("module", MODULES)
def test_passes_with_everything_measured(module: str, tmp_path: Path) -> None:
    # GIVEN a test module of CPython
    # WHEN it runs with probes in all that it imports, and in itself
    measured = outcome("measured", module, tmp_path)
    # THEN the same tests pass as without
    assert measured["run"] > 0
    if measured["failed"]:
        bare = outcome("bare", module, tmp_path)
        assert measured["failed"] == bare["failed"], measured["tracebacks"]
    # AND all code had probes, and no frame was lost
    assert measured["refused"] == []
    assert measured["dropped"] == 0
    assert measured["hits"] > 10_000
