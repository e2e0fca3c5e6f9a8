"""Processes that report over TCP: encrypted, and only those that have the key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbprobe import _core
from nbprobe.errors import NbprobeError
from nbprobe.live import Collector
from nbprobe.prun.result import ProfileResult

HERE = os.path.dirname(__file__)
WORK = f"import sys; sys.path.insert(0, {HERE!r}); import known_work as works; "


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def start(code: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | environment)


def leaves(result: object) -> int:
    assert isinstance(result, ProfileResult)
    return sum(
        calls
        for thread in result.threads
        for function, calls in zip(thread.function, thread.calls, strict=True)
        if result.functions[function].name == "leaf"
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_processes_and_their_forks_are_one_profile(collector: Collector) -> None:
    code = WORK + (
        "import os; works.work(30); pid = os.fork();"
        "works.work(4); pid and os.waitpid(pid, 0)"
    )
    processes = [start(code, collector.environment) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    wait_until(lambda: len(collector.gathered().results) == 4)
    wait_until(
        lambda: {p.state for p in collector.gathered().processes} == {"finished"}
    )
    result = collector.result()
    assert leaves(result) == 2 * (30 + 4 + 4)
    assert isinstance(result, ProfileResult)
    parts = result.by_process()
    assert sorted(map(leaves, parts.values())) == [4, 4, 34, 34]
    host = os.uname().nodename
    assert all(process.host == host for process in result.processes)
    assert collector.denied == 0


def test_a_program_may_attach_itself(collector: Collector) -> None:
    environment = dict(collector.environment, PYTHONPATH="")
    code = WORK + "import nbprobe.live; nbprobe.live.attach(); works.work(9)"
    assert start(code, environment).wait() == 0
    wait_until(lambda: bool(collector.gathered().results))
    assert leaves(collector.result()) == 9


@pytest.mark.parametrize("wrong", ["client", "server"])
def test_who_has_a_wrong_key_is_turned_away_and_runs_on(
    collector: Collector, wrong: str
) -> None:
    config = json.loads(collector.environment["NBPROBE_COLLECTOR"])
    keys = _core.make_keys()
    server, client, secret = config["keys"]
    config["keys"] = {
        "client": [server, *keys[2:]],
        "server": [keys[0], client, secret],
    }[wrong]
    environment = dict(collector.environment, NBPROBE_COLLECTOR=json.dumps(config))
    stranger = start(WORK + "works.work(5)", environment)
    wait_until(lambda: collector.denied > 0)
    assert stranger.wait() == 0
    with pytest.raises(NbprobeError, match="no process has sent figures"):
        collector.result()
    # Others are heard as before.
    assert start(WORK + "works.work(6)", collector.environment).wait() == 0
    wait_until(lambda: bool(collector.gathered().results))
    assert leaves(collector.result()) == 6


def test_who_has_no_key_is_turned_away(collector: Collector) -> None:
    zmq = pytest.importorskip("zmq")  # what a stranger would use
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger = 0
        socket.connect(collector.address)
        socket.send(b"in the clear", zmq.DONTWAIT)
        wait_until(lambda: collector.denied > 0)
    assert collector.gathered().faults == 0


def test_a_child_without_keys_sends_nothing(collector: Collector) -> None:
    config = json.loads(collector.environment["NBPROBE_COLLECTOR"])
    environment = dict(
        collector.environment, NBPROBE_COLLECTOR=json.dumps(config | {"keys": []})
    )
    before = os.listdir()
    assert start("pass", environment).wait() == 0
    assert collector.gathered().processes == ()
    assert os.listdir() == before  # nor does it complain to anybody


def test_the_environment_has_no_secret_of_the_collectors() -> None:
    with Collector() as one, Collector() as other:
        keys = json.loads(one.environment["NBPROBE_COLLECTOR"])["keys"]
        assert len(keys) == 3
        assert not set(keys) & set(
            json.loads(other.environment["NBPROBE_COLLECTOR"])["keys"]
        )


def test_an_address_that_others_can_use() -> None:
    with Collector("tcp://0.0.0.0:*", host="localhost") as collector:
        assert collector.address.startswith("tcp://localhost:")
    with Collector("tcp://0.0.0.0:*") as collector:
        assert collector.address.startswith(f"tcp://{os.uname().nodename}:")


def test_addresses_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no address of TCP"):
        Collector(f"ipc://{tmp_path}/socket")
    with pytest.raises(OSError, match="nowhere"):
        Collector("tcp://nowhere:1")
