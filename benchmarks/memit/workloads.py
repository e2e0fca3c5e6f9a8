"""Work with a known peak: each is made ready first, so that only the peak is measured."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MB = 1_000_000
SIZE = 200 * MB

NATIVE = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void *take(size_t size) {
    char *volatile block = malloc(size);
    for (size_t at = 0; at < size; at += 512) {
        ((volatile char *)block)[at] = 1;
    }
    return block;
}
void hold(size_t size, int us) {
    void *block = take(size);
    usleep(us);
    free(block);
}
"""


def alive_1_ms() -> Callable[[], object]:
    def work() -> None:
        block = bytearray(SIZE)
        time.sleep(0.001)
        del block

    return work


def numpy_temporaries() -> Callable[[], object]:
    import numpy as np

    def work(values: Any) -> object:
        return (values * 2 + 1).sum()

    work(np.ones(10_000))  # pages of numpy's own code that it touches
    values = np.ones(SIZE // 8)
    return lambda: work(values)


def million_objects(look: Callable[[], object] = int) -> Callable[[], object]:
    def work() -> None:
        kept: list[object] = [None] * 1_000_000
        for number in range(1_000_000):
            kept[number] = (number, number)
        look()

    return work


def native_library() -> ctypes.CDLL:
    digest = hashlib.sha256(NATIVE.encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"nbprobe-bench-{os.getuid()}-{digest}"
    library = folder / "hold.so"
    if not library.exists():
        folder.mkdir(exist_ok=True)
        source = folder / "hold.c"
        source.write_text(NATIVE)
        compiler = shutil.which("cc") or "gcc"
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True
        )
    loaded = ctypes.CDLL(str(library))
    loaded.hold.argtypes = [ctypes.c_size_t, ctypes.c_int]
    loaded.take.argtypes = [ctypes.c_size_t]
    loaded.take.restype = ctypes.c_void_p
    loaded.free.argtypes = [ctypes.c_void_p]  # the C library's
    return loaded


def native_malloc() -> Callable[[], object]:
    hold = native_library().hold
    return lambda: hold(SIZE, 1000)


def two_threads() -> Callable[[], object]:
    library = native_library()
    # However busy the machine is, there is a moment at which both have theirs.
    both = threading.Barrier(2)

    def hold_half() -> None:
        block = library.take(SIZE // 2)
        both.wait()
        library.free(block)

    def work() -> None:
        threads = [threading.Thread(target=hold_half) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return work


def mapped() -> Callable[[], object]:
    def work() -> None:
        block = mmap.mmap(-1, SIZE)
        for page in range(0, SIZE, mmap.PAGESIZE):
            block[page] = 1
        block.close()

    return work


def untouched_zeros() -> Callable[[], object]:
    import numpy as np

    return lambda: np.zeros(SIZE // 8)


def child(look: Callable[[], object] = int) -> Callable[[], object]:
    code = f"x = bytearray({SIZE}); print(flush=True); import time; time.sleep(0.3)"

    def work() -> None:
        command = [sys.executable, "-S", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            look()

    return work


def nothing() -> Callable[[], object]:
    return lambda: None


# Peaks in bytes above the start: resident, allocated. -1: found out in a process without
# any tool, by a look at what is resident while all of it is held.
WORKLOADS: dict[str, tuple[Callable[[], Callable[[], object]], int, int]] = {
    "bytearray, 1 ms": (alive_1_ms, SIZE, SIZE),
    "numpy temporaries": (numpy_temporaries, SIZE, SIZE),
    "10^6 small objects": (million_objects, -1, 96 * MB),
    "native malloc": (native_malloc, SIZE, SIZE),
    "2 native threads": (two_threads, SIZE, SIZE),
    "mmap": (mapped, SIZE, SIZE),
    "np.zeros, untouched": (untouched_zeros, 0, SIZE),
    "child process": (child, -1, -1),
    "nothing": (nothing, 0, 0),
}
