"""Work of a known number of calls, for processes to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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


def work_and_die(count: int) -> None:
    work(count)
    time.sleep(0.8)  # a few periods
    work(7)
    os.kill(os.getpid(), signal.SIGKILL)


def work_and_exit_at_once(count: int) -> None:
    work(count)
    os._exit(3)


def work_on(pool: Pool, tasks: int, count: int) -> None:
    pool.map(work, [count] * tasks, chunksize=1)
