"""What travels from process to process: snapshots, their collector, and who may send."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbprobe import _core

SESSION = 0xFEED


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[_core.Collector]:
    collector = _core.Collector(f"ipc://{tmp_path}/socket", SESSION)
    yield collector
    collector.close()


def snapshot(
    *records: bytes, session: int = SESSION, sequence: int = 1, pid: int = 1
) -> bytes:
    return _core.write_snapshot((session, pid, 2, 3, sequence, 0, 2), list(records))


def wait_for(collector: _core.Collector, messages: int) -> dict[str, int]:
    deadline = time.monotonic() + 120
    while sum((counts := collector.counts()).values()) < messages:
        assert time.monotonic() < deadline, counts
        time.sleep(0.002)
    return counts


def until_received(collector: _core.Collector) -> dict[str, int]:
    deadline = time.monotonic() + 120
    while (counts := collector.counts())["received"] == 0:
        assert time.monotonic() < deadline, counts
        time.sleep(0.002)
    return counts


def test_records_arrive_as_they_were_sent() -> None:
    header = (2**64 - 1, 2**32 - 1, 0, 2**63, 5, 6, 3)
    message = _core.write_snapshot(header, [b"", b"\0\xff", b"x" * 100_000])
    assert _core.read_snapshot(message) == (header, [b"", b"\0\xff", b"x" * 100_000])
    assert _core.read_snapshot(bytearray(message))[0] == header


@pytest.mark.parametrize(
    "arguments",
    [
        ((1, 2, 3, 4, 5, 6, 0), []),  # no such stage
        ((1, 2, 3, 4, 5, 6, 1), [b""] * 65_537),
    ],
)
def test_what_cannot_be_a_snapshot_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        _core.write_snapshot(*arguments)


def test_a_record_must_be_bytes() -> None:
    with pytest.raises(TypeError, match="must be bytes"):
        _core.write_snapshot((1, 2, 3, 4, 5, 6, 1), ["text"])


def test_a_fault_is_named() -> None:
    message = snapshot(b"record")
    for damaged, reason in (
        (b"", "not a snapshot"),
        (message[:20], "shorter"),
        (message[:-1], "lengths"),
        (message[:-1] + b"\0", "checksum"),
        (message[:8] + b"\2" + message[9:], "another version"),
    ):
        with pytest.raises(ValueError, match=reason):
            _core.read_snapshot(damaged)


def test_the_latest_of_each_process_counts(collector: _core.Collector) -> None:
    courier = _core.Courier(collector.endpoint)
    for sequence in (4, 6, 5):
        assert courier.send(snapshot(b"%d" % sequence, sequence=sequence), 60_000)
    assert courier.send(snapshot(b"other", pid=2), 60_000)
    wait_for(collector, 4)
    latest = [
        (first, received, _core.read_snapshot(message)[1])
        for first, received, message, *_ in collector.peers()
    ]
    assert latest == [(4, 3, [b"6"]), (1, 1, [b"other"])]
    courier.close(1000)


def test_hostile_messages_and_connections_are_counted(
    collector: _core.Collector, tmp_path: Path
) -> None:
    courier = _core.Courier(collector.endpoint)
    for junk in (b"", b"\0" * 500, snapshot(b"record")[:-1], os.urandom(2000)):
        assert courier.send(junk, 60_000)
    assert courier.send(snapshot(session=1), 60_000)
    for junk in (b"\xff" * 64, os.urandom(300), b"", struct.pack(">Q", 2**63)):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "socket"))
            peer.sendall(junk)
    assert courier.send(snapshot(b"good"), 60_000)
    counts = until_received(collector)
    # Bytes straight into the socket may look like messages to ZeroMQ's oldest protocol.
    assert counts["faulty"] >= 4
    assert (counts["received"], counts["foreign"], counts["refused"]) == (1, 1, 0)
    courier.close(1000)


def test_nobody_listening_blocks_nobody(tmp_path: Path) -> None:
    courier = _core.Courier(f"ipc://{tmp_path}/nobody")
    assert not all(courier.send(snapshot(), 0) for _ in range(100))
    courier.close(0)
    assert not courier.send(snapshot(), 0)
    courier.close(0)


def test_a_child_of_a_fork_leaves_what_it_inherited_alone(
    collector: _core.Collector,
) -> None:
    courier = _core.Courier(collector.endpoint)
    child = os.fork()
    if child == 0:
        good = not courier.send(snapshot(), 1000) and collector.peers() == []
        courier.close(1000)
        collector.close()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert courier.send(snapshot(), 60_000)
    wait_for(collector, 1)
    courier.close(1000)


def test_over_tcp_both_ends_need_the_keys() -> None:
    with pytest.raises(ValueError, match="needs keys"):
        _core.Collector("tcp://127.0.0.1:*", SESSION)
    keys = _core.make_keys()
    stranger = (*keys[:2], *_core.make_keys()[2:])
    collector = _core.Collector("tcp://127.0.0.1:*", SESSION, keys)
    with pytest.raises(ValueError, match="needs keys"):
        _core.Courier(collector.endpoint)
    denied = _core.Courier(collector.endpoint, stranger)
    denied.send(snapshot(pid=666), 0)
    wait_for(collector, 1)
    courier = _core.Courier(collector.endpoint, keys)
    assert courier.send(snapshot(), 60_000)
    until_received(collector)
    assert len(collector.peers()) == 1
    assert collector.counts()["denied"] >= 1
    denied.close(0)
    courier.close(1000)
    collector.close()


def test_an_address_that_cannot_be_bound() -> None:
    with pytest.raises(OSError, match="/nowhere"):
        _core.Collector("ipc:///nowhere/socket", SESSION)


def test_closed_is_closed(collector: _core.Collector) -> None:
    collector.close()
    collector.close()
    for use in (collector.counts, collector.peers, lambda: collector.endpoint):
        with pytest.raises(ValueError, match="closed"):
            use()
