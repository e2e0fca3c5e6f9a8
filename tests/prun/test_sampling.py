"""The sampler: what it sees, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import nbprobe
from nbprobe._core import Sampler
from nbprobe.code import Code
from nbprobe.prun import ProfileResult
from nbprobe.prun.engine import profile
from nbprobe.prun.sampled import margin
from nbprobe.prun.sampling import sample
from nbprobe.prun.threadnames import ThreadNames

from ..cell.shells import Session, bare, session
from ..patience import at_best

__all__ = ["bare", "session"]

OURS = os.path.dirname(os.path.abspath(nbprobe.__file__))

DEFINE = """
import threading, time

def spin(seconds):
    # So much of the processor, however many others want it too.
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def callee(seconds):
    spin(seconds)

def caller(seconds):
    callee(seconds)
"""


def run(statement: str, **options: Any) -> ProfileResult:
    names: dict[str, Any] = {}
    exec(compile(DEFINE, "defined.py", "exec"), names)
    return sample(Code.parse(statement), globals=names, **options)


def paths(result: ProfileResult, thread: int = 0) -> dict[tuple[str, ...], int]:
    """The samples of each path of names, from the top down."""
    found: dict[tuple[str, ...], int] = {}
    tree = result.threads[thread]
    names: list[tuple[str, ...]] = []
    for index, function in enumerate(tree.function):
        parent = tree.parent[index]
        above = names[parent] if parent >= 0 else ()
        names.append((*above, result.functions[function].name))
        found[names[-1]] = found.get(names[-1], 0) + tree.calls[index]
    return found


def sampler_threads() -> int:
    found = 0
    for task in Path("/proc/self/task").iterdir():
        # A thread that ends meanwhile is none.
        with contextlib.suppress(OSError):
            found += (task / "comm").read_text() == "nbprobe sampler\n"
    return found


def comes_true(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    # The kernel lists a thread for a moment after it was joined.
    assert comes_true(lambda: sampler_threads() == 0)


@at_best
def test_the_tree_begins_at_the_statement() -> None:
    result = run("caller(0.3)")
    found = paths(result)
    deepest = ("<module>", "caller", "callee", "spin")
    assert found[deepest] > 10
    assert found[deepest] > 0.9 * found[("<module>",)]
    assert {path[0] for path in found} == {"<module>"}
    assert result.sampling is not None
    assert result.sampling.samples == found[("<module>",)]
    assert result.wall_ns > 0.29e9
    spinning = [line for line in result.sampling.lines if line.line in (6, 7)]
    assert sum(line.samples for line in spinning) > 0.9 * result.sampling.samples


@at_best
def test_a_call_in_c_is_seen_at_its_line_though_it_keeps_the_interpreter() -> None:
    result = run("caller(0.05)\nsorted(range(600_000), key=str)", hz=2000)
    assert result.sampling is not None
    (hot,) = [line for line in result.sampling.lines if line.line == 2]
    assert hot.text == "sorted(range(600_000), key=str)"
    assert hot.samples > 0.5 * result.sampling.samples


@at_best
def test_a_waiting_statement_has_its_time() -> None:
    result = run("time.sleep(0.3)")
    # Beside it, perhaps, those of whoever runs the tests.
    (thread,) = [t for t in result.threads if t.ident == threading.get_ident()]
    assert 0.2e9 < thread.total_ns <= 1.01 * result.wall_ns


@at_best
def test_threads_that_start_and_those_that_only_waited_before() -> None:
    done = threading.Event()
    waiter = threading.Thread(target=done.wait, name="waits", daemon=True)
    waiter.start()
    try:
        result = run(
            "t = threading.Thread(target=caller, args=(0.3,), name='works')\n"
            "t.start(); t.join()"
        )
    finally:
        done.set()
        waiter.join()
    # Beside it, perhaps, those of whoever runs the tests.
    others = range(1, len(result.threads))
    assert any("caller" in path for index in others for path in paths(result, index))
    assert result.sampling is not None
    assert "waits" in result.sampling.waiting
    assert "waits" not in {thread.name for thread in result.threads}


@at_best
def test_generators_have_their_caller() -> None:
    result = run(
        "def counts():\n    while True:\n        spin(0.001)\n        yield 1\n"
        "def drive(seconds):\n    end = time.thread_time() + seconds\n"
        "    for _ in counts():\n        if time.thread_time() > end: break\n"
        "drive(0.2)"
    )
    assert paths(result)["<module>", "drive", "counts", "spin"] > 10


@at_best
def test_a_constructor_is_called_by_who_makes_the_object() -> None:
    # The interpreter puts a frame of its own between, once the call is specialised.
    result = run(
        "class Made:\n    def __init__(self): spin(0.0005)\n"
        "def make(n):\n    for _ in range(n): Made()\n"
        "make(400)"
    )
    assert paths(result)["<module>", "make", "__init__", "spin"] > 50


def test_it_can_be_started_within_a_constructor() -> None:
    started = []

    class Starts:
        def __init__(self) -> None:
            sampler = Sampler(100)
            sampler.start()
            sampler.stop()
            started.append(sampler)

    for _ in range(50):
        Starts()
    assert len(started) == 50


@at_best
def test_await() -> None:
    result = run("import asyncio\nawait asyncio.sleep(0.05); spin(0.2)")
    assert any(path[-1] == "spin" for path in paths(result))


AWAITS = """
async def child(seconds):
    spin(seconds)
    await asyncio.sleep(0.05)

async def both():
    await asyncio.gather(child(0.1), child(0.1))

def one_after_the_other():
    for name in ("first", "second", "third"):
        thread = threading.Thread(target=spin, args=(0.1,), name=name)
        thread.start()
        thread.join()
        del thread
"""


def _in_a_running_loop(run: Callable[[], ProfileResult]) -> ProfileResult:
    async def main() -> ProfileResult:
        return run()

    return asyncio.run(main())


@pytest.mark.parametrize("looped", [False, True], ids=["free", "looped"])
@pytest.mark.parametrize("how", [sample, profile], ids=["sampled", "counted"])
def test_of_an_await_only_what_the_loop_runs_is_shown(
    how: Callable[..., ProfileResult], looped: bool
) -> None:
    names: dict[str, Any] = {"asyncio": asyncio}
    exec(compile(DEFINE + AWAITS, "defined.py", "exec"), names)

    def run() -> ProfileResult:
        return how(Code.parse("await both()"), globals=names)

    others = sys._current_frames().keys() - {threading.get_ident()}
    result = _in_a_running_loop(run) if looped else run()
    (number,) = (
        at
        for at in range(len(result.threads))
        if any(path[-1] == "spin" for path in paths(result, at))
    )
    found = paths(result, number)
    assert {path[0] for path in found} == {"run_until_complete"}
    files = {function.file for function in result.functions}
    assert not any(file.startswith(OURS) for file in files)
    assert all(thread.ident != 0 for thread in result.threads)
    if how is profile:
        # But for those of whoever runs the tests.
        assert [t for t in result.threads if t.ident not in others] == [
            result.threads[number]
        ]
    thread = result.threads[number]
    assert sum(thread.self_ns) == pytest.approx(thread.total_ns, rel=1e-6)


@pytest.mark.parametrize("how", [sample, profile], ids=["sampled", "counted"])
@at_best
def test_threads_that_ended_have_their_names(
    how: Callable[..., ProfileResult],
) -> None:
    names: dict[str, Any] = {}
    exec(compile(DEFINE + AWAITS, "defined.py", "exec"), names)
    before = threading.Thread.start
    result = how(Code.parse("one_after_the_other()"), globals=names)
    assert threading.Thread.start is before
    seen = {
        thread.name
        for at, thread in enumerate(result.threads)
        if any(path[-1] == "spin" for path in paths(result, at))
    }
    assert seen == {"first", "second", "third"}
    assert not any(function.file.startswith(OURS) for function in result.functions)
    called = {function.qualname for function in result.functions}
    assert "Thread.name" not in called


def test_names_are_those_of_the_moment() -> None:
    noted = ThreadNames()
    own = threading.get_ident()
    assert noted.of(own, 1) == threading.current_thread().name
    assert noted.was_there(own, 1)
    noted.begin()
    wrapped = threading.Thread.start
    thread = threading.Thread(target=int, name="short")
    before = time.monotonic_ns()
    thread.start()
    thread.join()
    assert thread.ident is not None
    assert noted.of(thread.ident, time.monotonic_ns()) == "short"
    assert noted.of(thread.ident, before) != "short"
    assert not noted.was_there(thread.ident, time.monotonic_ns())

    def others(thread: threading.Thread) -> None:
        wrapped(thread)

    threading.Thread.start = others  # type: ignore[method-assign]
    try:
        noted.end()
        assert threading.Thread.start is others
    finally:
        threading.Thread.start = wrapped  # type: ignore[method-assign]
        noted.end()
    assert threading.Thread.start is not wrapped


@at_best
def test_what_ran_before_an_error_is_kept() -> None:
    kept: list[ProfileResult] = []
    with pytest.raises(ZeroDivisionError):
        run("caller(0.1); 1 / 0", on_partial=kept.append)
    (result,) = kept
    assert result.interrupted
    assert ("<module>", "caller", "callee", "spin") in paths(result)


@at_best
def test_shares_are_right_within_their_margin() -> None:
    # WHEN the same work is done 1, 2, 3 and 4 times by four functions
    names: dict[str, Any] = {}
    source = "def work():\n    for _ in range(3000): pass\n"
    for number, name in enumerate("abcd", 1):
        source += f"def {name}():\n" + "    work()\n" * number
    source += (
        "def main(n):\n    for _ in range(n):\n        a(); b(); c(); d()\n"
        "import time\n"
        "def calibrate():\n    start = time.process_time(); main(100)\n"
        "    return time.process_time() - start\n"
    )
    exec(source, names)
    result = sample(Code.parse("main(1000)"), globals=names, hz=2000)
    # THEN the samples divide as the work does, within four standard errors
    found = paths(result)
    assert result.sampling is not None
    for number, name in enumerate("abcd", 1):
        share = found["<module>", "main", name] / result.sampling.samples
        allowed = 2 * result.sampling.margin(number / 10) + 0.01
        assert abs(share - number / 10) < allowed, name


def test_saved_and_loaded(tmp_path: Any) -> None:
    result = run("caller(0.05)")
    result.save(tmp_path / "sampled.json")
    assert nbprobe.load(tmp_path / "sampled.json") == result


def test_margin() -> None:
    assert margin(0.5, 10_000) == pytest.approx(0.0098, abs=1e-4)
    assert 0 < margin(0.0, 100) < 0.05
    assert margin(0.3, 0) == 1.0


# --- Hostile --------------------------------------------------------------------------


def sampled_while(work: Callable[[], object], hz: float = 20_000) -> Any:
    sampler = Sampler(hz, share=1.0)
    sampler.start()
    try:
        work()
    finally:
        sampler.stop()
    return sampler.table()


def test_threads_by_the_hundred() -> None:
    def busy() -> int:
        return sum(i * i for i in range(200))

    def work() -> None:
        for _ in range(8):
            threads = [threading.Thread(target=busy) for _ in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    functions, threads, nodes, _ = sampled_while(work)
    assert threads and nodes
    assert all(name.isprintable() and file for file, _, name, _ in functions)


def test_code_objects_that_are_freed_while_they_are_sampled() -> None:
    def work() -> None:
        for number in range(1500):
            names: dict[str, Any] = {}
            exec(f"def made_{number}():\n    return [{number}] * 100", names)
            for _ in range(50):
                names[f"made_{number}"]()

    functions, _, _, _ = sampled_while(work)
    made = [name for file, _, name, _ in functions if file == "<string>"]
    assert all(name == "<module>" or name.startswith("made_") for name in made)


@at_best
def test_deep_recursion() -> None:
    def dive(depth: int) -> int:
        return dive(depth - 1) if depth else sum(range(1_000_000))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(9000)
    try:
        _, _, nodes, _ = sampled_while(lambda: [dive(6000), dive(500)], 2000)
    finally:
        sys.setrecursionlimit(limit)
    assert len(nodes) > 500
    # Below what stands for the frames that were too many, so many and no more.
    assert len(nodes) < 2 * 4096 + 1000


@at_best
def test_generators_that_end_while_they_are_read() -> None:
    def work() -> None:
        for _ in range(50_000):
            sum(i for i in range(20))

    _, threads, nodes, _ = sampled_while(work)
    (_, samples, torn, *_) = threads[0]
    assert torn <= samples
    # A generator cut off its caller would stand below the thread itself.
    assert sum(1 for node in nodes if node[0] == 0) == 1


def test_recursion_errors_and_other_samplers_meanwhile() -> None:
    def endless() -> None:
        endless()

    def work() -> None:
        for _ in range(20):
            with pytest.raises(RecursionError):
                endless()
            with pytest.raises(ValueError, match="hz"):
                Sampler(0)
            other = Sampler(5000)
            other.start()
            del other  # without stop

    sampled_while(work)


def test_readers_while_it_runs() -> None:
    sampler = Sampler(10_000, share=1)
    sampler.start()
    assert sampler.running
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: (sampler.table(), sampler.spans()), range(40)):
            pass
    assert comes_true(lambda: bool(sampler.spans()))
    sampler.stop()
    assert not sampler.running
    spans = sampler.spans()
    assert [span[-1] for span in spans] == sorted(span[-1] for span in spans)
    assert sampler.function(spans[0][1])[0]
    with pytest.raises(IndexError):
        sampler.function(10**6)
    with pytest.raises(RuntimeError, match="once"):
        sampler.start()


# AddressSanitizer's allocator may be locked by the sampler just then, and stays so.
@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_has_no_sampler() -> None:
    sampler = Sampler(5000)
    sampler.start()
    assert comes_true(lambda: sampler_threads() == 1)
    child = os.fork()
    if child == 0:
        is_off = not sampler.running and sampler.table() == ([], [], [], [])
        sampler.stop()
        del sampler
        os._exit(0 if is_off else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert sampler.running
    sampler.stop()


# --- The magic ------------------------------------------------------------------------


@at_best
def test_the_magic(session: Session) -> None:
    session.run(DEFINE)
    ran = session.run("%prun --sample caller(0.2)")
    assert ran.error is None
    assert "looks a second" in ran.stdout and "(spin)" in ran.stdout
    assert "total %" in ran.stdout
    kept = session.run("%prun --sample 500 -q -o caller(0.1)").value
    assert kept.sampling.hz == 500
    assert session.run("%prun --sample=500 -q -r caller(0.1)").error is None
    cell = session.run("%%prun --sample -q -v kept\ncaller(0.1)\ntime.sleep(0.1)")
    assert cell.error is None
    assert len(session.names["kept"].sampling.lines) >= 2


def test_a_rate_that_cannot_be(session: Session) -> None:
    error = session.run("%prun --sample 10000000 pass").error
    assert "--sample takes looks a second, 1 to 20000" in str(error)


def test_one_line_where_it_is_impossible(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        hz = 1000.0

        def __init__(self, hz: float) -> None:
            pass

        def start(self) -> None:
            raise RuntimeError("sampling is not possible here: because")

        def stop(self) -> None:
            pass

    monkeypatch.setattr("nbprobe.prun.sampling.Sampler", Blind)
    session.run("ran = False")
    error = session.run("%prun --sample ran = True").error
    assert str(error) == (
        "%prun --sample: sampling is not possible here: because; count with %prun"
    )
    assert session.names["ran"] is False
