"""Memory that libraries allocate without asking Python."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import shutil
import sqlite3
import sys
import threading
import zlib
from pathlib import Path

import pytest

from nbprobe import _core
from nbprobe._core import Allocations
from nbprobe.memit.engine import Settings, measure_call
from nbprobe.memit.view_measure import html, text

from .libraries import compiled

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="import tables are exchanged on Linux only"
)

SITES = _core.ALLOCATIONS_SITES

SOURCE = """
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#define API __attribute__((visibility("default")))

API void *take(size_t size) { return memset(malloc(size), 1, size); }
API void *zeroed(size_t size) { return calloc(size / 8, 8); }
API void *grow(void *block, size_t size) { return realloc(block, size); }
API void give(void *block) { free(block); }
API void *aligned(size_t size) {
    void *block = NULL;
    return posix_memalign(&block, 4096, size) == 0 ? block : NULL;
}
API void *pages(size_t size) {
    return mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
API void *set_aside(size_t size) {
    return mmap(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
API int unmap(char *at, size_t from, size_t size) { return munmap(at + from, size); }
API int impossible(void) {
    errno = 0;
    void *volatile block = malloc((size_t)1 << 62);
    return block == NULL ? errno : -1;
}
static void *work(void *arg) {
    for (int i = 0; i < 20000; i++) free(realloc(malloc(100), 1000));
    return arg;
}
API void threads(int count) {
    pthread_t threads[16];
    for (int i = 0; i < count; i++) pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}
"""

MB = 1_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that allocates, compiled; not loaded yet."""
    folder = tmp_path_factory.mktemp("native")
    return compiled(folder, "native", SOURCE, "-lpthread")


def load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    for name in ("take", "zeroed", "grow", "aligned", "pages", "set_aside"):
        getattr(library, name).restype = ctypes.c_void_p
    library.take.argtypes = library.zeroed.argtypes = [ctypes.c_size_t]
    library.aligned.argtypes = library.pages.argtypes = [ctypes.c_size_t]
    library.set_aside.argtypes = [ctypes.c_size_t]
    library.grow.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.give.argtypes = [ctypes.c_void_p]
    library.unmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    return library


@pytest.fixture(scope="module")
def library(built: Path) -> ctypes.CDLL:
    return load(built)


def test_nothing_is_nothing() -> None:
    with Allocations(native=True) as counted:
        pass
    assert (counted.allocations, counted.native_allocations) == (0, 0)
    assert counted.note == ""


def test_off_unless_asked_for(library: ctypes.CDLL) -> None:
    with Allocations() as counted:
        library.give(library.take(5 * MB))
    assert counted.native_bytes == 0
    assert counted.allocated_bytes < 10_000


@pytest.mark.parametrize("level", [_core.ALLOCATIONS_EXACT, SITES])
def test_blocks_to_the_byte(library: ctypes.CDLL, level: int) -> None:
    with Allocations(level, native=True) as counted:
        block = library.take(5 * MB)
        block = library.grow(block, 7 * MB)
        library.give(block)
        zeroed = library.zeroed(8000)
        aligned = library.aligned(16_000)
    assert counted.native_allocations == 4
    assert counted.native_bytes == 12 * MB + 24_000
    assert 7 * MB <= counted.peak_bytes < 7 * MB + 20_000
    assert 24_000 <= counted.current_bytes < 34_000
    library.give(zeroed)
    library.give(aligned)


def test_threads_of_a_library_have_a_row(library: ctypes.CDLL) -> None:
    settings = Settings(native=True)
    result = measure_call(library.threads, (2,), {}, settings)
    assert 2 * 20_000 <= result.elsewhere.allocations <= result.run.allocations
    assert "(libraries outside of the GIL" in text(result)
    assert "(libraries outside of the GIL" in html(result)


def test_only_counted(library: ctypes.CDLL) -> None:
    with Allocations(_core.ALLOCATIONS_COUNTS, native=True) as counted:
        library.give(library.take(5 * MB))
    assert (counted.native_allocations, counted.native_bytes) == (1, 5 * MB)


def test_pages_and_parts_of_them(library: ctypes.CDLL) -> None:
    page = mmap.PAGESIZE
    with Allocations(native=True) as counted:
        pages = library.pages(10 * page)
        aside = library.set_aside(1000 * page)
        assert 10 * page <= counted.current_bytes < 11 * page
        library.unmap(pages, 4 * page, 2 * page)  # two rests
        assert 8 * page <= counted.current_bytes < 9 * page
        library.unmap(pages, 3 * page, 4 * page)
        library.unmap(pages, 0, 10 * page)
        library.unmap(aside, 0, 1000 * page)
    assert counted.current_bytes < page
    assert 10 * page <= counted.peak_bytes < 11 * page
    assert counted.native_allocations == 1


def test_python_s_own_blocks_count_once() -> None:
    """PyMem_RawMalloc calls malloc(), and pymalloc mmap()."""
    with Allocations(native=True) as counted:
        block = bytes(5 * MB)
        small = [bytes(100) for _ in range(20_000)]
    assert counted.native_bytes == 0
    assert counted.current_bytes < 8 * MB
    del block, small


def test_places_of_libraries() -> None:
    def store() -> None:
        with sqlite3.connect(":memory:") as connection:
            connection.execute("create table t (a)")
            connection.executemany("insert into t values (?)", [("x" * 500,)] * 1000)
        connection.close()

    store()
    with Allocations(SITES, native=True) as counted:
        store()
    first = store.__code__.co_firstlineno
    rows = counted.table()
    assert rows[__file__, first + 3][0] > 300_000
    assert counted.native_bytes > 300_000


def test_a_library_that_is_loaded_meanwhile(built: Path, tmp_path: Path) -> None:
    """And is unloaded again before the end: nothing of it is touched afterwards."""
    import _ctypes

    copy = tmp_path / "copy.so"
    shutil.copy(built, copy)
    with Allocations(native=True) as counted:
        late = load(copy)
        gc.collect()
        before = counted.native_bytes
        block = late.take(3 * MB)
        assert counted.native_bytes == before + 3 * MB
        late.give(block)
        _ctypes.dlclose(late._handle)
    assert counted.current_bytes < MB


def test_errors_are_those_of_the_function(library: ctypes.CDLL) -> None:
    expected = library.impossible()
    with Allocations(native=True):
        assert library.impossible() == expected != 0


def test_threads_of_a_library(library: ctypes.CDLL) -> None:
    with Allocations(SITES, native=True) as counted, Allocations() as inner:
        library.threads(4)
        for _ in range(20):
            zlib.compress(os.urandom(10_000))
    assert counted.native_allocations >= 4 * 40_000
    assert counted.current_bytes < 50_000
    for measure in (counted, inner):
        assert measure.allocated_bytes - measure.freed_bytes == measure.current_bytes


def test_many_cycles_while_threads_allocate(library: ctypes.CDLL) -> None:
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            library.threads(2)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            with Allocations(native=True, level=SITES) as counted:
                block = library.take(1000)
            library.give(block)
            assert counted.current_bytes < 2**40
            assert counted.peak_bytes <= counted.allocated_bytes
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_imports_are_put_back(library: ctypes.CDLL) -> None:
    with Allocations(native=True):
        pass
    with Allocations() as counted:
        library.give(library.take(MB))
    assert counted.native_allocations == 0


def test_fork(library: ctypes.CDLL) -> None:
    with Allocations(native=True) as counted:
        child = os.fork()
        if child == 0:
            before = counted.native_bytes
            library.give(library.take(MB))
            os._exit(0 if counted.native_bytes == before + MB else 1)
        assert os.waitpid(child, 0)[1] == 0
