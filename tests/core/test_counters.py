"""Counters of the calling thread: what this machine offers, and what it says."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbprobe._core import Counters

HARDWARE = {"instructions", "cycles", "branches", "branch-misses", "cache-misses"}
SOFTWARE = {"page-faults", "context-switches"}
PAGES = 200


def touch_pages() -> None:
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE) as memory:
        for page in range(PAGES):
            memory[page * mmap.PAGESIZE] = 1


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_every_counter_counts_or_is_explained() -> None:
    with Counters() as counters:
        listed = counters.unavailable
        for name in HARDWARE | SOFTWARE:
            assert (name in counters.names) != (name in listed)
        assert set(counters.names) <= HARDWARE | SOFTWARE
        assert "\n" not in listed
        assert bool(listed) == (len(counters.names) < 7)


def test_software_counters_count_what_happens_in_between() -> None:
    with Counters() as counters:
        touch_pages()
        for _ in range(2):
            counters.start()
            touch_pages()
            for _ in range(10):
                time.sleep(0.0001)
            counts = counters.stop()
            assert set(counts) <= set(counters.names)
            if "page-faults" in counters.names:
                assert PAGES <= counts["page-faults"] < 2 * PAGES
            if "context-switches" in counters.names:
                assert counts["context-switches"] >= 10


def test_hardware_counters_count_instructions() -> None:
    with Counters() as counters:
        counters.start()
        sum(range(100_000))
        counts = counters.stop()
        # A virtual machine has none: then they are absent, not 0.
        for name in HARDWARE & set(counters.names) & set(counts):
            assert counts[name] >= 0
        assert counts.get("instructions", 100_000) >= 100_000


def test_start_again_counts_from_zero() -> None:
    with Counters() as counters:
        counters.start()
        touch_pages()
        counters.start()
        assert counters.stop().get("page-faults", 0) < PAGES


def test_another_threads_work_is_not_counted() -> None:
    with Counters() as counters:
        counters.start()
        thread = threading.Thread(target=touch_pages)
        thread.start()
        thread.join()
        assert counters.stop().get("page-faults", 0) < PAGES


def test_stop_needs_start() -> None:
    with Counters() as counters:
        with pytest.raises(RuntimeError, match=r"stop\(\) without start\(\)"):
            counters.stop()
        counters.start()
        counters.stop()
        with pytest.raises(RuntimeError, match=r"stop\(\) without start\(\)"):
            counters.stop()


def test_closed_counters_say_so() -> None:
    counters = Counters()
    names = counters.names
    counters.close()
    counters.close()
    assert counters.names == names
    for use in (counters.start, counters.stop, counters.__enter__):
        with pytest.raises(ValueError, match="the counters are closed"):
            use()


def test_the_block_closes_them_also_when_it_raises() -> None:
    counters = Counters()
    with pytest.raises(ZeroDivisionError), counters:
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="closed"):
        counters.start()


def test_arguments_are_refused() -> None:
    anything: Any = Counters
    with pytest.raises(TypeError):
        anything(1)
    with pytest.raises(TypeError):
        anything(thread=1)


def test_nothing_leaks(blocks_left_by: Callable[[Callable[[], object]], int]) -> None:
    def use() -> None:
        with Counters() as counters:
            counters.start()
            counters.stop()
        Counters().start()

    files = open_files()
    assert blocks_left_by(use) < 20
    assert open_files() <= files


def test_without_free_files_all_are_explained(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import resource\n"
        "from nbprobe._core import Counters\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))\n"
        "counters = Counters()\n"
        "counters.start()\n"
        "print(counters.names, counters.stop(), counters.unavailable)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("() {} ")
    assert "context-switches: too many files are open" in done.stdout
