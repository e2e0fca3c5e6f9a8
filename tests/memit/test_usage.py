"""The functions that memory_profiler has: its signatures and shapes, without its flaws."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import memory_profiler
import pytest

from nbprobe.memit import LogFile, ProcessError, TimeStamper, memory_usage

from ..patience import at_best

MIB = 2**20


def short_peak(calls: list[int]) -> str:
    calls.append(1)
    data = bytearray(200 * MIB)
    del data
    return "returned"


def test_the_signature_is_memory_profilers() -> None:
    theirs = inspect.signature(memory_profiler.memory_usage).parameters
    ours = inspect.signature(memory_usage).parameters
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_a_function_is_called_once_and_its_peak_is_exact() -> None:
    calls: list[int] = []
    before = memory_usage(-1)[0]
    usage, returned = memory_usage((short_peak, (calls,)), retval=True)
    # THEN the peak is there, although it lasted for much less than the interval
    assert abs(max(usage) - before - 200) < 2
    assert usage[0] == pytest.approx(before, abs=2)
    assert (returned, calls) == ("returned", [1])


def test_only_the_most(request: pytest.FixtureRequest) -> None:
    most = memory_usage((bytearray, (100 * MIB,)), max_usage=True)
    assert isinstance(most, float)
    assert most - memory_usage()[0] > 99
    before = time.time()
    most, at = memory_usage(lambda: None, max_usage=True, timestamps=True)
    assert before - 0.01 <= at <= time.time() + 0.01


def test_forms_of_a_function() -> None:
    def remember(*args: Any, **keywords: Any) -> Any:
        return args, keywords

    for proc, expected in (
        (remember, ((), {})),
        ((remember,), ((), {})),
        ((remember, (1, 2)), ((1, 2), {})),
        ([remember, (1,), {"a": 3}], ((1,), {"a": 3})),
    ):
        assert memory_usage(proc, retval=True)[1] == expected
    with pytest.raises(ValueError, match="its arguments and its keywords"):
        memory_usage((remember, (), {}, 1))


def test_samples_come_at_the_interval() -> None:
    before = time.time()
    usage = memory_usage((time.sleep, (0.2,)), interval=0.01, timestamps=True)
    took = time.time() - before
    # Some of them may be late, but none is more often than asked.
    assert 3 <= len(usage) <= took / 0.01 + 3
    assert all(before - 0.01 <= at <= before + took + 0.01 for _, at in usage)
    assert [at for _, at in usage] == sorted(at for _, at in usage)


@pytest.mark.parametrize("backend", ["psutil_pss", "psutil_uss", "tracemalloc"])
def test_other_backends(backend: str) -> None:
    before = time.time()
    usage = memory_usage((time.sleep, (0.05,)), interval=0.01, backend=backend)
    assert 2 <= len(usage) <= (time.time() - before) / 0.01 + 3
    assert not [t for t in threading.enumerate() if "nbprobe" in t.name]


@at_best
def test_processes_by_number_and_by_popen() -> None:
    with subprocess.Popen(["sleep", "2"]) as process:
        (one,) = memory_usage(process.pid)
        assert 0 < one < 50
        assert memory_usage(str(process.pid)) == pytest.approx([one], abs=1)
        two = memory_usage(process.pid, interval=0.01, timeout=0.02)
        assert len(two) == 2
        ending = threading.Timer(0.3, process.kill)
        ending.start()
        many = memory_usage(process, interval=0.01)
        ending.join()
        assert len(many) > 2
    with pytest.raises(ProcessError, match=f"there is no process {process.pid}"):
        memory_usage(process.pid)


def test_a_stream_has_the_lines_of_a_dat_file() -> None:
    stream = io.StringIO()
    assert memory_usage((time.sleep, (0.05,)), interval=0.01, stream=stream) is None
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(re.fullmatch(r"MEM \d+\.\d{6} \d+\.\d{4}", line) for line in lines)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "30"]) as process:
        yield process
        process.kill()


def test_an_exception_passes_and_kills_nobody(child: subprocess.Popen[bytes]) -> None:
    def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        memory_usage(fail)
    with pytest.raises(LookupError, match="mine"):
        memory_usage(fail, backend="psutil_pss", include_children=True)
    time.sleep(0.05)
    assert child.poll() is None


@at_best
def test_children_that_share_are_counted_once() -> None:
    shared = bytearray(b"x") * (80 * MIB)

    def pool() -> None:
        pids = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                try:
                    time.sleep(300)
                finally:
                    os.kill(os.getpid(), signal.SIGKILL)
            pids.append(pid)
        time.sleep(0.3)  # all three are there
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    alone = memory_usage(-1)[0]
    most = memory_usage(pool, interval=0.02, include_children=True, max_usage=True)
    assert most < alone + 60
    each = memory_usage(pool, interval=0.02, multiprocess=True)
    # Other tests may have left processes of theirs.
    others = memory_usage(lambda: time.sleep(0.1), interval=0.02, multiprocess=True)
    assert max(map(len, each)) - max(map(len, others)) == 3
    del shared


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_without_a_length(interval: float) -> None:
    with pytest.raises(ValueError, match="above 0 seconds"):
        memory_usage(-1, interval=interval)


def test_an_unknown_backend() -> None:
    with pytest.raises(ValueError, match="must be one of psutil, psutil_pss"):
        memory_usage(-1, backend="magic")


def test_stamps_are_memory_profilers_lines() -> None:
    ours, theirs = TimeStamper(), memory_profiler.TimeStamper("psutil")
    shown = []
    for stamper in (ours, theirs):

        @stamper
        def inner() -> None:
            """Documented."""

        @stamper()
        def outer(depth: int) -> int:
            inner()
            return depth

        assert outer(3) == 3
        with stamper.timestamp("block"):
            inner()
        assert inner.__doc__ == "Documented."
        out = io.StringIO()
        stamper.show_results(out)
        shown.append(re.sub(r"\d+\.\d{4}", "#", out.getvalue()))
    # memory_profiler counts a block as a level of its own only while it runs, as we do.
    assert sorted(shown[0].splitlines()) == sorted(shown[1].splitlines())


def test_stamps_of_what_memory_profiler_cannot() -> None:
    stamps = TimeStamper()

    @stamps
    async def sleeps() -> int:
        await asyncio.sleep(0.01)
        return 5

    @stamps
    def counts() -> Iterator[int]:
        yield 1
        yield 2

    @stamps
    def fails() -> None:
        raise LookupError

    async def both() -> list[int]:
        return list(await asyncio.gather(sleeps(), sleeps()))

    assert asyncio.run(both()) == [5, 5]
    assert list(counts()) == [1, 2]
    with pytest.raises(LookupError):
        fails()
    spans = {span.name.rpartition(".")[2]: span for span in stamps.spans()}
    assert spans["sleeps"].end_s - spans["sleeps"].start_s >= 0.01
    assert {span.level for span in stamps.spans()} == {0}
    assert len(list(stamps.spans())) == 4
    assert stamps.current_stack_level == -1


def test_log_file_logs_what_memory_profilers_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = [
        "Filename: x.py\n\n",
        "Line #    Mem usage    Increment  Occurrences   Line Contents\n",
        "     1     10.0 MiB      2.5 MiB           1   data = load()\n",
        "     2     10.0 MiB      0.0 MiB           1   pass\n",
        "     3                                         # MiB\n",
        "     4                                         # 3 MiB 2 MiB\n",
        "=====\n",
    ]
    logged = []
    for cls in (LogFile, memory_profiler.LogFile):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            everything, increments = cls("all"), cls("some", reportIncrementFlag=True)
            for line in lines:
                everything.write(line)
                # memory_profiler raises ValueError for code with the word in it.
                if cls is LogFile or "#" not in line or "Line" in line:
                    increments.write(line)
            everything.flush()
        logged.append([(r.name, r.getMessage()) for r in caplog.records])
    assert logged[0] == logged[1]
    assert len(logged[0]) == 10


def test_interrupting_ends_the_watching() -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        memory_usage(interrupted)
    assert sys.gettrace() is None
