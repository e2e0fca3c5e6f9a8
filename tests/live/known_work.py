"""Work of a known number of calls, for processes to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.pool import Pool


def leaf(number: int) -> int:
    return number * number


def work(count: int) -> int:
    return sum(leaf(number) for number in range(count))


def nested(count: int) -> int:
    """Work in a process of a process's own."""
    folder = os.path.dirname(__file__)
    code = f"import sys; sys.path.insert(0, {folder!r}); import known_work as work;"
    subprocess.run([sys.executable, "-c", f"{code} work.work({count})"], check=True)
    return work(count)


def work_in_a_pool(count: int) -> None:
    """Work in a process that has a pool of its own."""
    work(count)
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        list(pool.map(work, [count] * 4))


def fork_again_and_again(times: int, count: int) -> None:
    """Work, and fork processes that work, while figures are being sent."""
    work(count)
    for _ in range(times):
        pid = os.fork()
        if pid == 0:
            work_and_exit_at_once(count)
        os.waitpid(pid, 0)


def work_and_die(count: int) -> None:
    work(count)
    time.sleep(0.6)  # two periods
    work(7)
    os.kill(os.getpid(), signal.SIGKILL)


def work_and_exit_at_once(count: int) -> None:
    work(count)
    os._exit(3)


def work_as_a_daemon(pipe: int, closes: str) -> None:
    """Work with nothing open but a pipe, for which nobody waits; never comes back."""
    os.setsid()
    if os.fork():
        os._exit(0)
    work(11)
    most = 300
    if closes == "closerange":
        os.closerange(3, pipe)
        os.closerange(pipe + 1, most)
    for descriptor in range(3, most):
        try:
            if descriptor != pipe:
                os.close(descriptor)
        except OSError:
            pass  # it was not open
    work(20)
    os.write(pipe, b"done")
    os._exit(0)


def work_and_become(count: int, command: list[str]) -> None:
    work(count)
    os.execv(command[0], command)


def replaced() -> list[str]:
    """Functions of `os` that are not the system's."""
    names = ("_exit", "close", "closerange", "execv", "execve")
    return [name for name in names if getattr(os, name).__module__ != "posix"]


def work_on(pool: Pool, tasks: int, count: int) -> None:
    pool.map(work, [count] * tasks, chunksize=1)


class Table:
    """Work in a method, a generator, a comprehension and a nested function."""

    def __init__(self, count: int) -> None:
        self.rows = [number for number in range(count) if number % 2]

    def each(self) -> Iterator[int]:
        for row in self.rows:
            if row % 3:
                yield leaf(row)

    def total(self) -> int:
        def add(one: int, other: int) -> int:
            return one + other

        total = 0
        for row in self.each():
            total = add(total, row)
        return total


def varied(count: int) -> int:
    return Table(count).total()


def varied_and_late(count: int) -> int:
    """The same, with a module that nobody has imported before."""
    import late_work

    return varied(count) + int(late_work.late(count))


def fork_and_work(count: int) -> None:
    """Fork between two lines; each process calls `leaf` a number of times of its own."""
    work(7)
    pid = os.fork()
    if pid == 0:
        work_and_exit_at_once(count)
    os.waitpid(pid, 0)


def keep(blocks: int) -> int:
    rows = [bytes(1000) for _ in range(blocks)]
    return len(rows)
