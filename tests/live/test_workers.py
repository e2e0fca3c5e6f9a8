"""Profiles of dask's workers: what their tasks did, and all of them together."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import nbprobe
from nbprobe import live
from nbprobe.errors import EnginesError, MissingPackageError
from nbprobe.prun.result import ProfileResult

from ..kernels import PATIENCE_S

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of dask's, about its dependencies
    import dask
    from distributed import Client, LocalCluster

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of four workers, each a process with one thread."""
    with (
        warnings.catch_warnings(),
        dask.config.set(
            {
                "temporary-directory": str(tmp_path_factory.mktemp("dask")),
                "distributed.comm.timeouts.connect": f"{PATIENCE_S}s",
                "distributed.comm.timeouts.tcp": f"{PATIENCE_S}s",
            }
        ),
        LocalCluster(
            n_workers=4,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        warnings.simplefilter("ignore")
        yield client


def sent(client: Any, count: int, tasks: int) -> list[Any]:
    """Run tasks, as code: the workers cannot import this module."""

    def leaf(number: int) -> int:
        return number * number

    def work(_: int) -> int:
        import time

        time.sleep(0.01)
        return sum([leaf(number) for number in range(count)])

    return client.gather(client.map(work, range(tasks), pure=False))


def calls_of(result: ProfileResult, name: str) -> int:
    return sum(
        calls
        for thread in result.threads
        for place, calls in zip(thread.function, thread.calls, strict=True)
        if result.functions[place].name == name
    )


def test_the_whole_is_the_sum_of_the_parts(client: Any) -> None:
    with live.profile_workers(client) as profile:
        sent(client, 25, 40)
    result = profile.result
    parts = result.by_process()
    assert sorted(parts) == ["worker 0", "worker 1", "worker 2", "worker 3"]
    assert calls_of(result, "leaf") == 40 * 25
    assert sum(calls_of(part, "leaf") for part in parts.values()) == 40 * 25
    assert sum(calls_of(part, "work") for part in parts.values()) == 40
    assert result.calls == sum(part.calls for part in parts.values())
    assert {each.state for each in result.processes} == {"finished"}
    assert len({each.pid for each in result.processes}) == 4
    assert "4 workers: 4 finished" in str(result)


def test_a_profile_begins_with_the_tasks(client: Any) -> None:
    with live.profile_workers(client) as profile:
        sent(client, 5, 8)
    result = profile.result
    files = {
        os.path.basename(result.functions[thread.function[node]].file)
        for thread in result.threads
        for node, parent in enumerate(thread.parent)
        if parent < 0
    }
    assert files == {"_task_spec.py"}
    # Waiting for the next task is no time of the work.
    assert result.total_ns < 8 * 10**9


def test_nothing_stays_switched_on(client: Any) -> None:
    def state() -> tuple[bool, bool]:
        import sys
        import threading

        monitoring = getattr(sys, "monitoring", None)
        tools = monitoring and [monitoring.get_tool(number) for number in range(6)]
        return any(tools or ()), threading.getprofile() is None

    before = client.run(state)
    with live.profile_workers(client):
        sent(client, 5, 8)
    assert client.run(state) == before


def test_an_error_in_the_block_passes_and_the_result_is_there(client: Any) -> None:
    with pytest.raises(ZeroDivisionError), live.profile_workers(client) as profile:
        sent(client, 3, 4)
        raise ZeroDivisionError
    assert calls_of(profile.result, "leaf") == 12


def test_workers_without_it_or_with_another_version_are_named(client: Any) -> None:
    first, second, *_ = sorted(client.scheduler_info()["workers"])

    def hide() -> None:
        import sys

        sys.modules["nbprobe._core"] = None  # type: ignore[assignment]

    def show() -> None:
        import sys

        del sys.modules["nbprobe._core"]

    def change(version: str) -> str:
        import nbprobe._core as core

        before, core.__version__ = core.__version__, version
        return before

    client.run(hide, workers=[first])
    client.run(change, "0.0", workers=[second])
    try:
        with live.profile_workers(client) as profile:
            sent(client, 3, 40)
    finally:
        client.run(show, workers=[first])
        client.run(change, nbprobe.__version__, workers=[second])
    notes = sorted(each.note for each in profile.result.processes if each.note)
    assert notes[0].startswith(f"nbprobe 0.0 there, {nbprobe.__version__} here")
    assert notes[1].startswith("nbprobe is not installed there")
    assert len(profile.result.by_process()) == 2


def test_a_killed_worker_leaves_the_others_results(client: Any) -> None:
    with live.profile_workers(client) as profile:
        sent(client, 3, 40)
        pids = client.run(os.getpid)
        victim = pids[sorted(pids)[0]]
        os.kill(victim, signal.SIGKILL)
        while victim in client.run(os.getpid, on_error="return").values():
            pass
    states = [each.state for each in profile.result.processes]
    assert states.count("finished") == 3
    assert states.count("lost") == 1
    assert len(profile.result.by_process()) == 3
    client.wait_for_workers(4)


def test_what_is_not_there_is_said(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live.profile_workers(client) as profile:
        with pytest.raises(EnginesError, match="has not ended"):
            _ = profile.result
    with pytest.raises(TypeError, match="not asynchronous"), live.profile_workers(3):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingPackageError, match=r"pip install 'nbprobe\[dask\]'"),
        live.profile_workers(client),
    ):
        pass
