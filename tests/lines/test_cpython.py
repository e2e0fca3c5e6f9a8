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


def outcomes(how: str, modules: list[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Run them in one process, which imports and measures their library once."""
    names = [f"test.{module}" for module in modules]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), how, *names],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-1000:] + run.stderr[-3000:]
    rows = [json.loads(line) for line in run.stdout.splitlines() if line[:1] == "{"]
    return dict(zip(modules, rows, strict=True))


@pytest.fixture(scope="module")
def measured_outcomes(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    # GIVEN test modules of CPython
    # WHEN they run with probes in all that they import, and in themselves
    return outcomes("measured", MODULES, tmp_path_factory.mktemp("cpython"))


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_generators") is None,
    reason="this Python was installed without its tests",
)
@pytest.mark.parametrize("module", MODULES)
def test_passes_with_everything_measured(
    module: str, measured_outcomes: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    # THEN the same tests pass as without
    measured = measured_outcomes[module]
    assert measured["run"] > 0
    if measured["failed"]:
        bare = outcomes("bare", [module], tmp_path)[module]
        assert measured["failed"] == bare["failed"], measured["tracebacks"]
    # AND all code had probes, and no frame was lost
    assert measured["refused"] == []
    assert measured["dropped"] == 0
    assert measured["hits"] > 10_000 * len(MODULES)
