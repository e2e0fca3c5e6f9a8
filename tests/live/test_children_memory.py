"""Allocations of child processes under ``%memit --children``."""

from __future__ import annotations

import ast
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

import nbprobe
from nbprobe.code import Code
from nbprobe.memit.engine import Settings, measure_code

HERE = os.path.dirname(__file__)
sys.path.insert(0, HERE)  # for child processes, which import it too
import known_work as works  # noqa: E402


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_children_allocate(method: str, tmp_path: Path) -> None:
    statement = (
        "ps = [context.Process(target=works.keep, args=(n,)) for n in (1000, 5000)]\n"
        "for p in ps: p.start()\n"
        "for p in ps: p.join()"
    )
    result = measure_code(
        Code(statement, ast.parse(statement), "<statement>"),
        globals={"works": works, "context": multiprocessing.get_context(method)},
        settings=Settings(children=True),
    )
    runs = result.by_process()
    assert runs.pop("") == result.run
    small, large = sorted(runs.values(), key=lambda run: run.allocated_bytes)
    # keep() allocates rows of 1033 bytes each; besides there are what starts a process
    # and ends it, the same in both.
    assert 4_000 <= large.allocations - small.allocations < 12_000
    assert 4_000 * 1033 <= large.allocated_bytes - small.allocated_bytes < 5_000_000
    assert large.peak_allocated >= 5_000 * 1033
    # This process has none of that.
    assert result.allocated_bytes < 2_000_000
    # An installation that rebuilds itself on import starts programs of its own.
    states = [process.state for process in result.processes]
    assert states.count("finished") == 2
    assert "killed" not in states
    text = str(result)
    assert "allocated in child processes" in text
    assert "child processes: 2 finished" in text
    result.save(tmp_path / "result.json")
    assert nbprobe.load(tmp_path / "result.json") == result
    assert "allocated in child processes" in result._repr_mimebundle_()["text/html"]
