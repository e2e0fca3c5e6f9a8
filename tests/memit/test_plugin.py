"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import numpy, pytest, zlib
KEPT = []

@pytest.fixture
def large():
    return bytearray(50 * 2**20)

@pytest.mark.limit_memory("10 MB")
def test_small(large):
    bytearray(2**20)

@pytest.mark.limit_memory("1 MB")
def test_too_large():
    bytearray(5 * 2**20)

@pytest.mark.limit_allocations(5)
def test_too_many():
    [object() for _ in range(1000)]

@pytest.mark.limit_allocations(5000)
def test_few_enough():
    [object() for _ in range(1000)]

@pytest.mark.limit_leaks("10 KB")
def test_leaks():
    KEPT.append(bytearray(10**6))

@pytest.mark.limit_leaks("10 KB")
def test_does_not_leak():
    a = []
    a.append(a)
    a.append(bytearray(10**6))

@pytest.mark.limit_memory("1 MB")
def test_large_array():
    numpy.ones(10**6)

@pytest.mark.limit_memory("1 MB")
def test_large_block_of_a_library():
    zlib.compressobj(9, zlib.DEFLATED, 15, 9)  # 268 KB, in the module's C code
    [zlib.compressobj(9, zlib.DEFLATED, 15, 9) for _ in range(8)]

@pytest.mark.limit_leaks(
    "10 KB", filter_fn=lambda stack: stack.frames[0].function != "cache"
)
def test_leaks_where_it_may():
    def cache():
        KEPT.append(bytearray(10**6))
    cache()

@pytest.mark.limit_memory("10 MB", current_thread_only=True)
def test_of_one_thread():
    pass

@pytest.mark.limit_memory("lots")
def test_wrong_limit():
    pass

@pytest.mark.limit_memory("1 MB")
def test_fails_by_itself():
    assert 1 == 2
"""


def test_limits(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "nbprobe.memit.plugin", "-q"]
    done = subprocess.run(
        [*command, "--strict-markers", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    out = done.stdout
    assert "8 failed, 4 passed" in out, out + done.stderr
    for name in (
        *("too_large", "too_many", "leaks", "wrong_limit", "fails_by_itself"),
        *("large_array", "large_block_of_a_library", "of_one_thread"),
    ):
        assert f"FAILED test_it.py::test_{name} " in out
    assert "leave out current_thread_only" in out
    assert "limit_memory: 5 MiB allocated at once, the limit is 1 MiB" in out
    assert "bytearray(5 * 2**20)" in out
    assert "limit_allocations: 1," in out
    assert "still allocated at the end, the limit is 10 KiB" in out
    assert "not 'lots'" in out
    assert "assert 1 == 2" in out
