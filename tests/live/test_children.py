"""Child processes under a profile: for each way of starting one, the right totals."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pytest

from nbprobe.code import Code
from nbprobe.live import child
from nbprobe.live.children import Children
from nbprobe.live.processes import Process, describe
from nbprobe.prun.calibration import costs
from nbprobe.prun.engine import profile
from nbprobe.prun.result import ProfileResult

from ..conftest import end_helpers
from ..patience import at_best

HERE = os.path.dirname(__file__)
sys.path.insert(0, HERE)  # for child processes, which import it too
import known_work as works  # noqa: E402

Run = Callable[..., ProfileResult]

IMPORT = f"import sys; sys.path.insert(0, {HERE!r}); import known_work as work"


# What the profiled statements use.
NAMES = {
    "ProcessPoolExecutor": ProcessPoolExecutor,
    "os": os,
    "signal": signal,
    "subprocess": subprocess,
    "sys": sys,
    "time": time,
    "work": works.work,
    "works": works,
}


@pytest.fixture
def run() -> Run:
    """Profile a statement with its children."""
    return runner(use_socket=True)


@pytest.fixture(params=["socket", "files"])
def run_both(request: pytest.FixtureRequest) -> Run:
    """Profile a statement with its children, by both ways of collecting."""
    return runner(use_socket=request.param == "socket")


def runner(*, use_socket: bool) -> Run:
    def run(statement: str, **names: Any) -> ProfileResult:
        children = Children(
            "prun",
            {"builtins": True, "costs": costs(True)},
            use_socket=use_socket,
        )
        partial: list[ProfileResult] = []
        try:
            return profile(
                Code(statement, ast.parse(statement), "<statement>"),
                globals=NAMES | names,
                children=children,
                on_partial=partial.append,
            )
        except ZeroDivisionError:
            return partial[0]

    return run


def leaves(result: ProfileResult) -> int:
    return sum(
        calls
        for thread in result.threads
        for function, calls in zip(thread.function, thread.calls, strict=True)
        if result.functions[function].name == "leaf"
    )


def states(result: ProfileResult) -> list[str]:
    """How the processes ended, without those that an earlier test has left behind."""
    news = (p for p in result.processes if p.note != "started before the profile")
    return sorted(process.state for process in news)


def test_environment_is_as_before(run_both: Run) -> None:
    before = dict(os.environ)
    threads = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd"))
    result = run_both("assert 'NBPROBE_CHILDREN' in os.environ; work(10)")
    assert leaves(result) == 10
    assert result.processes == ()
    assert dict(os.environ) == before
    # What an earlier test has left may go meanwhile.
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.fixture(autouse=True)
def each_begins_without_helpers() -> Iterator[None]:
    yield
    end_helpers()


@pytest.mark.parametrize(
    ("method", "end"),
    [
        ("fork", "close"),
        ("fork", "terminate"),
        ("spawn", "close"),
        ("forkserver", "terminate"),
    ],
)
def test_a_pool(run: Run, method: str, end: str) -> None:
    result = run(
        "pool = context.Pool(2); works.work_on(pool, 4, 1000);"
        f"pool.{end}(); pool.join()",
        context=multiprocessing.get_context(method),
    )
    assert leaves(result) == 4000
    assert leaves(result.by_process()[""]) == 0
    # One that is ended while it starts has nothing to say.
    assert "finished" in states(result)
    assert "killed" not in states(result)


def test_an_executor(run_both: Run) -> None:
    result = run_both(
        "with ProcessPoolExecutor(2) as pool: list(pool.map(work, [1000] * 4))"
    )
    assert leaves(result) == 4000
    assert set(states(result)) == {"finished"}


@at_best
def test_a_fork_and_a_program(run: Run) -> None:
    result = run(
        "pid = os.fork()\n"
        "if not pid:\n"
        "    works.work_and_exit_at_once(500)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        f"subprocess.run([sys.executable, '-c', {IMPORT + '; work.work(77)'!r}])\n"
        "subprocess.run(['sleep', '0.6'])\n"
        "assert os.waitstatus_to_exitcode(status) == 3"
    )
    assert sorted(leaves(part) for part in result.by_process().values()) == [0, 77, 500]
    assert states(result) == ["finished"] * 2
    # An installation that rebuilds itself on import starts ninja too.
    assert result.other_programs >= 1


def test_a_process_of_a_process(run_both: Run) -> None:
    result = run_both(
        "pool = context.Pool(1); pool.map(works.nested, [300]); pool.close(); pool.join()",
        context=multiprocessing.get_context("fork"),
    )
    assert sorted(leaves(part) for part in result.by_process().values()) == [
        0,
        300,
        300,
    ]
    inner, outer = sorted(result.processes, key=lambda process: process.name != "-c")
    assert inner.parent == outer.pid


def test_a_pool_of_joblib(run: Run) -> None:
    result = run(
        "with joblib.parallel_config('loky', n_jobs=2):\n"
        "    joblib.Parallel()(joblib.delayed(work)(500) for _ in range(4))\n",
        joblib=joblib,
    )
    assert leaves(result) == 2000
    # They live on, for the next call; one may have come too late to get any work.
    assert "running" in states(result)
    assert set(states(result)) <= {"running", "silent"}
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def test_a_pool_in_a_process(run: Run) -> None:
    result = run(
        "p = context.Process(target=works.work_in_a_pool, args=(40,)); p.start(); p.join()",
        context=multiprocessing.get_context("fork"),
    )
    assert leaves(result) == 5 * 40
    assert states(result) == ["finished"] * 3
    (outer,) = (each for each in result.processes if each.parent == os.getpid())
    assert {each.parent for each in result.processes} == {os.getpid(), outer.pid}


def test_forks_in_the_middle_of_pushes(run: Run, monkeypatch: Any) -> None:
    # The one that forks has nothing else to do than push, for as long as it forks.
    monkeypatch.setattr(child, "_PERIOD", 0.0)
    monkeypatch.setattr(child, "_DEAREST_SHARE", 1.0)
    result = run(
        "p = context.Process(target=works.fork_again_and_again, args=(20, 30))\n"
        "p.start(); p.join()",
        context=multiprocessing.get_context("fork"),
    )
    assert leaves(result) == 30 + 20 * 30
    assert states(result) == ["finished"] * 21
    outer = max(result.processes, key=lambda process: process.snapshots)
    assert outer.snapshots > 20


@at_best
def test_one_that_is_killed_is_missing_its_last_moments(run_both: Run) -> None:
    result = run_both(
        "p = context.Process(target=works.work_and_die, args=(900,)); p.start(); p.join()",
        context=multiprocessing.get_context("fork"),
    )
    assert leaves(result) == 900
    (process,) = result.processes
    assert process.state == "killed"
    assert "killed" in describe(result.processes)


def test_one_that_lives_on_gives_all_it_has(run_both: Run) -> None:
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        result = run_both("assert pool.submit(work, 600).result()", pool=pool)
        assert leaves(result) == 600
        assert states(result) == ["running"]
        # Nothing is left switched on in it.
        assert pool.submit(works.replaced).result() == []
        later = run_both("assert pool.submit(work, 600).result()", pool=pool)
        assert leaves(later) == 0
        assert later.processes[0].note == "started before the profile"


@at_best
def test_those_that_cannot_attach_are_named(run: Run) -> None:
    sleep = "import time; time.sleep(0.6)"
    result = run(
        "a = subprocess.Popen([sys.executable, '-I', '-c', sleep])\n"
        "b = subprocess.Popen([sys.executable, '-c', sleep], env={})\n"
        "a.wait(), b.wait()",
        sleep=sleep,
    )
    assert states(result) == ["silent", "silent"]
    assert describe(result.processes) == "2 child processes: 2 did not attach"


@pytest.mark.parametrize("closes", ["closerange", "close"])
def test_one_that_becomes_a_daemon(run: Run, closes: str) -> None:
    result = run(
        "ours, theirs = os.pipe()\n"
        "if not os.fork():\n"
        "    works.work_as_a_daemon(theirs, closes)\n"
        "os.close(theirs)\n"
        "os.wait()\n"
        # It has ended when there is no more to read.
        "assert os.read(ours, 9) == b'done' and os.read(ours, 9) == b''\n"
        "os.close(ours)",
        closes=closes,
    )
    assert leaves(result) == 11 + 20
    assert states(result) == ["finished"] * 2


def test_one_that_becomes_another_program(run: Run) -> None:
    code = IMPORT + "; work.work(70)"
    result = run(
        "os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', code])\n"
        "subprocess.run([sys.executable, '-c', code], preexec_fn=os.setsid)\n"
        "subprocess.run(['true'], preexec_fn=os.setsid)\n"
        "if not os.fork():\n"
        "    works.work_and_become(30, [sys.executable, '-c', code])\n"
        "os.wait()",
        code=code,
    )
    # What it did before is there, and it was not killed.
    assert leaves(result) == 70 + 70 + 30 + 70
    assert set(states(result)) == {"finished"}


def test_one_that_would_become_another_program_but_for_a_slip(run: Run) -> None:
    result = run(
        "if not os.fork():\n"
        "    try:\n"
        "        works.work_and_become(30, ['/nowhere/at/all'])\n"
        "    except OSError:\n"
        "        works.work_and_exit_at_once(5)\n"
        "os.wait()"
    )
    assert leaves(result) == 35
    (process,) = result.processes
    assert (process.state, process.lost) == ("finished", 0)


def test_what_was_gathered_is_kept_when_the_code_raises(run: Run) -> None:
    result = run(
        "p = context.Process(target=work, args=(50,)); p.start(); p.join(); 1 / 0",
        context=multiprocessing.get_context("fork"),
    )
    assert result.interrupted
    assert leaves(result) == 50


def test_sigterm_still_ends_a_process_that_holds_the_interpreter(run: Run) -> None:
    # One call of C for half a minute, which does not let go of the GIL.
    source = "print(flush=True); sum(range(3 * 10**9))"
    result = run(
        "p = subprocess.Popen([sys.executable, '-c', source], stdout=-1)\n"
        "p.stdout.readline(); p.stdout.close()\n"
        "time.sleep(0.1)\n"
        "p.terminate()\n"
        "assert p.wait(120) == -signal.SIGTERM",
        source=source,
    )
    # It may have got a word in before.
    assert states(result) in (["killed"], ["finished"])


def test_a_handler_of_the_users_own_stays(run: Run) -> None:
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print(flush=True)\n"
        "time.sleep(300)"
    )
    result = run(
        "p = subprocess.Popen([sys.executable, '-c', source], stdout=-1)\n"
        "p.stdout.readline(); p.stdout.close()\n"
        "p.terminate()\n"
        "assert p.wait(120) == 5",
        source=source,
    )
    assert states(result) == ["finished"]


def test_another_sitecustomize_still_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['SEEN'] = 'yes'")
    code = "import os, sys; sys.exit(os.environ.get('SEEN') != 'yes')"
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        result = run(
            "assert subprocess.run([sys.executable, '-c', code]).returncode == 0",
            code=code,
        )
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    assert states(result) == ["finished"]


def test_many_at_once(run: Run) -> None:
    result = run(
        "ps = [context.Process(target=work, args=(100,)) for _ in range(64)]\n"
        "for p in ps: p.start()\n"
        "for p in ps: p.join()",
        context=multiprocessing.get_context("fork"),
    )
    assert len(result.processes) == 64
    assert leaves(result) == 6400
    assert set(states(result)) == {"finished"}


def test_parts_make_the_whole(run: Run) -> None:
    result = run(
        "p = context.Process(target=work, args=(50,)); p.start(); p.join(); work(20)",
        context=multiprocessing.get_context("fork"),
    )
    parts = result.by_process()
    assert list(parts) == ["", result.processes[0].label]
    assert [leaves(part) for part in parts.values()] == [20, 50]
    assert sum(part.calls for part in parts.values()) == result.calls


def test_a_state_must_be_one() -> None:
    with pytest.raises(ValueError, match="no state"):
        Process(pid=1, parent=1, name="x", state="dead")


def test_nothing_seen_is_said() -> None:
    assert describe(()) == "no child processes were seen"
