"""Memory that libraries declare to tracemalloc, as NumPy before 2.5 does."""

from __future__ import annotations

import ctypes
import shutil
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from nbprobe import _core
from nbprobe._core import Allocations
from nbprobe.memit import allocated, measure

from .libraries import compiled

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="import tables are exchanged on Linux only"
)

SITES = _core.ALLOCATIONS_SITES

SOURCE = """
#include <stdint.h>
#include <stdlib.h>
#define API __attribute__((visibility("default")))
extern int PyTraceMalloc_Track(unsigned int, uintptr_t, size_t);
extern int PyTraceMalloc_Untrack(unsigned int, uintptr_t);
extern void *PyMem_RawMalloc(size_t);
extern void PyMem_RawFree(void *);

static void *declare(void *block, size_t size)
{
    PyTraceMalloc_Track(7, (uintptr_t)block, size);
    return block;
}
API void *take(size_t size) { return declare(malloc(size), size); }
API void *takes_pythons(size_t size) {
    void *block = PyMem_RawMalloc(size);
    PyTraceMalloc_Untrack(0, (uintptr_t)block);
    return declare(block, size);
}
API void *grows(void *block, size_t size) {
    void *grown = realloc(block, size);
    if (grown != block) PyTraceMalloc_Untrack(7, (uintptr_t)block);
    return declare(grown, size);
}
API void give(void *block) { PyTraceMalloc_Untrack(7, (uintptr_t)block); free(block); }
API void gives_pythons(void *block) {
    PyTraceMalloc_Untrack(7, (uintptr_t)block);
    PyMem_RawFree(block);
}
"""

MB = 1_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that declares what it allocates, compiled; not loaded yet."""
    folder = tmp_path_factory.mktemp("declared")
    return compiled(folder, "declares", SOURCE)


@pytest.fixture(scope="module")
def library(built: Path) -> ctypes.PyDLL:
    library = ctypes.PyDLL(str(built))
    for name in ("take", "takes_pythons", "grows"):
        getattr(library, name).restype = ctypes.c_void_p
    library.take.argtypes = library.takes_pythons.argtypes = [ctypes.c_size_t]
    library.grows.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.give.argtypes = library.gives_pythons.argtypes = [ctypes.c_void_p]
    return library


def small(bytes_: int) -> bool:
    """Whether that is what ctypes itself takes for some calls."""
    return 0 <= bytes_ < 20_000


@pytest.mark.parametrize("level", [_core.ALLOCATIONS_EXACT, SITES])
def test_declared_blocks_count(library: ctypes.PyDLL, level: int) -> None:
    with Allocations(level) as counted:
        block = library.take(5 * MB)
        assert small(counted.current_bytes - 5 * MB)
        block = library.grows(block, 7 * MB)
        assert small(counted.current_bytes - 7 * MB)
        library.give(block)
    assert small(counted.current_bytes)
    assert small(counted.allocated_bytes - 12 * MB)
    assert 7 * MB <= counted.peak_bytes < 12 * MB + 20_000
    assert counted.native_allocations == 0


@pytest.mark.parametrize("native", [False, True])
def test_a_block_that_is_counted_already_counts_once(
    library: ctypes.PyDLL, native: bool
) -> None:
    with Allocations(native=native) as counted:
        library.gives_pythons(library.takes_pythons(5 * MB))
        library.give(library.take(3 * MB))
    assert small(counted.allocated_bytes - 8 * MB)
    assert small(counted.current_bytes)
    assert counted.native_bytes == (3 * MB if native else 0)


def test_it_has_a_place(library: ctypes.PyDLL) -> None:
    with Allocations(SITES, frames=4) as counted:
        block = library.take(5 * MB)
    (bytes_, *_) = counted.table("file")[__file__]
    assert small(bytes_ - 5 * MB)
    library.give(block)


def test_neither_before_nor_after(library: ctypes.PyDLL) -> None:
    before = library.take(5 * MB)
    with Allocations() as counted:
        library.give(before)
        after = library.take(2 * MB)
    figures = counted.allocated_bytes, counted.freed_bytes, counted.current_bytes
    library.give(after)
    library.give(library.take(MB))
    assert figures == (
        counted.allocated_bytes,
        counted.freed_bytes,
        counted.current_bytes,
    )
    assert small(counted.allocated_bytes - 2 * MB) and small(counted.freed_bytes)


def test_a_library_that_is_loaded_later(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "later.so"
    shutil.copy(built, copy)
    with Allocations() as earlier:
        library = ctypes.PyDLL(str(copy))
        library.take.restype = ctypes.c_void_p
        library.give.argtypes = [ctypes.c_void_p]
        library.give(library.take(5 * MB))
    assert earlier.allocated_bytes < MB
    for _ in range(2):
        with Allocations() as counted:
            library.give(library.take(5 * MB))
        assert small(counted.allocated_bytes - 5 * MB)


def test_tracemalloc_hears_of_it_all_the_same(library: ctypes.PyDLL) -> None:
    tracemalloc.start()
    try:
        with Allocations():
            block = library.take(5 * MB)
        taken = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.DomainFilter(True, 7)]
        )
        assert [trace.size for trace in taken.traces] == [5 * MB]
        with Allocations():
            library.give(block)
        assert tracemalloc.get_traced_memory()[0] < MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("make", "bytes_"),
    [
        (lambda: numpy.ones(MB), 8 * MB),
        (lambda: numpy.zeros(MB), 8 * MB),
        (lambda: [numpy.ones(MB), numpy.ones(MB)], 16 * MB),
    ],
)
def test_arrays_of_numpy_count(make: Callable[[], object], bytes_: int) -> None:
    assert small(allocated(make) - bytes_)
    result = measure(make)
    assert small(result.peak_allocated - bytes_) and small(result.retained_bytes)
