"""Processes that report over TCP: encrypted, and only those that have the key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbprobe import _core
from nbprobe.errors import NbprobeError
from nbprobe.live import Collector, remote
from nbprobe.lprun.result import LineResult
from nbprobe.memit.engines import EngineMemory
from nbprobe.prun.result import ProfileResult

HERE = os.path.dirname(__file__)
WORK = f"import sys; sys.path.insert(0, {HERE!r}); import known_work as works; "


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def start(
    code: str, environment: dict[str, str], **options: Any
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | environment, **options
    )


def leaves(result: object) -> int:
    assert isinstance(result, ProfileResult)
    return sum(
        calls
        for thread in result.threads
        for function, calls in zip(thread.function, thread.calls, strict=True)
        if result.functions[function].name == "leaf"
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
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


def hits(result: object) -> dict[tuple[str, int], int]:
    """How often each line ran, by function and by its place in that."""
    assert isinstance(result, LineResult)
    return {
        (function.name, line.number - function.first): line.hits
        for function in result.functions
        for line in function.lines
    }


def all_finished(collector: Collector, number: int) -> bool:
    states = [process.state for process in collector.gathered().processes]
    return states == ["finished"] * number


def test_lines_of_processes_and_their_forks() -> None:
    code = WORK + (
        "import os; works.varied(60); pid = os.fork();"
        "works.varied(60); pid and os.waitpid(pid, 0)"
    )
    with Collector(tool="lprun") as collector:
        one = start(WORK + "works.varied(60)", collector.environment)
        assert one.wait() == 0
        wait_until(lambda: all_finished(collector, 1))
        expected = hits(collector.result())
        assert expected["leaf", 1] == 20
        assert expected["Table.total", 6] == 20
    with Collector(tool="lprun", memory=True) as collector:
        processes = [start(code, collector.environment) for _ in range(2)]
        assert [process.wait() for process in processes] == [0, 0]
        wait_until(lambda: all_finished(collector, 4))
        result = collector.result()
    assert hits(result) == {key: 6 * count for key, count in expected.items()}
    assert isinstance(result, LineResult)
    parts = result.by_process()
    assert sorted(hits(part)["leaf", 1] for part in parts.values()) == [20, 20, 40, 40]
    (table,) = (each for each in result.functions if each.name == "Table.__init__")
    memory = table.lines[0].memory
    assert memory is not None and memory.allocated_blocks > 0
    assert "4 workers: 4 finished" in str(result)


def test_only_lines_that_were_named() -> None:
    targets = [(os.path.join(HERE, "known_work.py"), "Table")]
    with Collector(tool="lprun", targets=targets) as collector:
        assert start(WORK + "works.varied(60)", collector.environment).wait() == 0
        wait_until(lambda: all_finished(collector, 1))
        names = {name for name, _ in hits(collector.result())}
    assert names == {
        "Table.__init__",
        "Table.each",
        "Table.total",
        "Table.total.<locals>.add",
    }


def test_memory_of_processes() -> None:
    with Collector(tool="memit") as collector:
        for blocks in (1000, 5000):
            done = start(WORK + f"works.keep({blocks})", collector.environment)
            assert done.wait() == 0
        wait_until(lambda: all_finished(collector, 2))
        result = collector.result()
    assert isinstance(result, EngineMemory)
    small, large = sorted(
        result.by_process().values(), key=lambda part: part.allocated_bytes
    )
    # keep() allocates rows of 1033 bytes each; the rest is much the same in both.
    assert 4_000 <= large.allocations - small.allocations < 12_000
    assert 4_000 * 1033 <= large.allocated_bytes - small.allocated_bytes < 5_000_000
    assert result.allocated_bytes == small.allocated_bytes + large.allocated_bytes
    assert "allocated on 2 workers" in str(result)
    assert ">Workers<" in result._repr_mimebundle_()["text/html"].replace("<bdi>", "")
    assert {"worker", "allocated_bytes"} < result.records()[0].keys()


def test_one_that_dies_leaves_what_it_has_sent(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What ended and may come back is given up at once.
    monkeypatch.setattr(remote, "_RECONNECT_S", 0.0)

    def states() -> set[str]:
        return {process.state for process in collector.gathered().processes}

    def has_sent() -> bool:
        gathered = collector.gathered()
        return bool(gathered.results) and leaves(collector.result()) == 9

    with start(WORK + "works.work(9); input()", collector.environment, stdin=-1) as job:
        wait_until(has_sent)
        # One that only waits, for whatever reason, is as alive as before.
        job.send_signal(signal.SIGSTOP)
        assert states() == {"running"}
        job.send_signal(signal.SIGCONT)
        job.kill()
        wait_until(lambda: states() == {"killed"})
    assert leaves(collector.result()) == 9
    assert "1 killed, the last moments missing" in str(collector.result())


def test_one_that_closes_all_there_is(collector: Collector) -> None:
    code = WORK + "import os; works.work(9); os.closerange(3, 300); works.work(4)"
    assert start(code, collector.environment).wait() == 0
    wait_until(lambda: all_finished(collector, 1))
    assert leaves(collector.result()) == 13


def test_one_that_becomes_another_program(collector: Collector) -> None:
    become = (
        f"works.work_and_become(5, [sys.executable, '-c', {WORK + 'works.work(2)'!r}])"
    )
    assert start(WORK + become, collector.environment).wait() == 0
    wait_until(lambda: all_finished(collector, 2))
    assert leaves(collector.result()) == 7


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


@pytest.mark.parametrize("damaged", ["no keys", "cut short", "another thing"])
def test_a_child_that_cannot_send_runs_on_and_says_why(
    collector: Collector, damaged: str, tmp_path: Path
) -> None:
    said = {
        "no keys": json.dumps(
            json.loads(collector.environment["NBPROBE_COLLECTOR"]) | {"keys": []}
        ),
        "cut short": collector.environment["NBPROBE_COLLECTOR"][:50],
        "another thing": "[1]",
    }
    environment = dict(collector.environment, NBPROBE_COLLECTOR=said[damaged])
    with start(
        "print(6 * 7)", environment, stdout=-1, stderr=-1, cwd=tmp_path
    ) as process:
        out, error = process.communicate()
    assert (process.returncode, out) == (0, b"42\n")
    (line,) = error.decode().splitlines()
    assert line.startswith(
        "nbprobe: this process is not profiled: ValueError: NBPROBE_"
    )
    assert collector.gathered().processes == ()
    assert os.listdir(tmp_path) == []


def test_a_file_of_the_users_is_no_configuration(
    collector: Collector, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"tool": "memit", "keys": []}')
    done = start(WORK + "works.work(3)", collector.environment, cwd=tmp_path)
    assert done.wait() == 0
    wait_until(lambda: all_finished(collector, 1))
    assert leaves(collector.result()) == 3


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tool": "timeit"}, "tool must be one of lprun, memit, prun, not 'timeit'"),
        ({"builtin": True}, "prun takes builtins, memory, tasks, not builtin"),
        ({"tool": "memit", "memory": 1}, "memit takes native, not memory"),
        (
            {"tool": "lprun", "targets": "/srv/"},
            "targets are pairs of an absolute path",
        ),
        ({"tool": "lprun", "targets": [("job.py", "")]}, "such as .* not .*job.py"),
        ({"tool": "lprun", "targets": []}, "targets are pairs"),
        ({"tool": "lprun", "targets": [("/a",)]}, "targets are pairs"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Collector(**options)
