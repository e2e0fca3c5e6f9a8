"""Profiles on a cluster of ipyparallel: what each engine did, and all of them together."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

import ipyparallel
import pytest

import nbprobe
from nbprobe import live
from nbprobe.live import LIVE, display, magic, view_waiting
from nbprobe.live.balance import Balance
from nbprobe.live.children import Gathered
from nbprobe.live.engines import Outcome, ask
from nbprobe.lprun.result import LineResult
from nbprobe.lprun.view_engines import spread as spread_of_lines
from nbprobe.memit.engines import EngineMemory
from nbprobe.prun.result import ProfileResult
from nbprobe.prun.view_engines import spread
from nbprobe.timeit import Comparison

from ..cell.shells import Session, bare, session
from ..patience import at_best, wait_until
from .clusters import ENGINES, VICTIM, client

__all__ = ["bare", "client", "session"]

pytestmark = pytest.mark.kernel

DEFINE = """
def leaf(number):
    return number * number

def work(count):
    return sum([leaf(number) for number in range(count)])
"""


@pytest.fixture
def view(client: Any) -> Any:
    view = client[ENGINES]
    view.execute(DEFINE, block=True)
    view.scatter("share", [100, 200, 300, 1400], flatten=True, block=True)
    return view


@pytest.fixture
def connected(session: Session, client: Any, view: Any) -> Session:
    client.activate()  # %px, which a client in a notebook makes by itself
    session.names.update(client=client, view=view)
    return session


def calls_of(result: ProfileResult, name: str) -> int:
    return sum(
        calls
        for thread in result.threads
        for place, calls in zip(thread.function, thread.calls, strict=True)
        if result.functions[place].name == name
    )


def test_a_function_is_profiled_on_each_engine(view: Any) -> None:
    def counted(count: int) -> int:
        return sum([abs(number) for number in range(count)])

    result = live.profile(view, counted, 50)
    parts = result.by_process()
    assert list(parts) == ["engine 0", "engine 1", "engine 2", "engine 3"]
    assert [calls_of(part, "counted") for part in parts.values()] == [1] * 4
    assert calls_of(result, "<built-in method builtins.abs>") == 200
    # A function is one row, whichever engine called it.
    assert sum(each.name == "counted" for each in result.functions) == 1
    assert {each.state for each in result.processes} == {"finished"}
    assert len({each.pid for each in result.processes}) == 4
    assert result.statement.endswith("counted(...)")


def test_the_whole_is_the_sum_of_the_parts(connected: Session) -> None:
    result = connected.run("%prun -q -o --engines view work(share)").value
    parts = result.by_process()
    counts = [calls_of(part, "leaf") for part in parts.values()]
    assert counts == [100, 200, 300, 1400]
    assert calls_of(result, "leaf") == 2000
    assert result.calls == sum(part.calls for part in parts.values())
    own = sum(part.total_ns for part in parts.values())
    assert result.total_ns == pytest.approx(own)
    assert result.statement == "work(share)"
    # Defined on the engines, each of which has a file of its own for that.
    assert sum(each.name == "leaf" for each in result.functions) == 1


def test_the_view_says_how_even_it_is(connected: Session) -> None:
    ran = connected.run("%prun --engines -v profile view work(share)")
    assert ran.error is None
    assert "4 engines: 4 finished" in ran.stdout
    lines = ran.stdout.splitlines()
    (row,) = (line for line in lines if line.startswith("engine 3"))
    assert row.split()[-1] == "finished"
    (even,) = (line for line in lines if line.startswith("time of each: "))
    # Of clocks, not of counts: on a busy machine it need not be the one with the most.
    profile = connected.names["profile"]
    times = {label: part.total_ns for label, part in profile.by_process().items()}
    most = max(times, key=lambda label: times[label])
    assert f"at the most ({most}), imbalance " in even
    assert "Own time by process" in profile._repr_mimebundle_()["text/html"]


def test_imbalance_is_the_most_over_the_mean() -> None:
    balance = Balance.of({"a": 1.0, "b": 3.0, "c": 2.0, "d": 6.0})
    assert (balance.minimum, balance.median, balance.maximum) == (1.0, 2.5, 6.0)
    assert balance.most == "d"
    assert balance.imbalance == pytest.approx(1.0)
    assert Balance.of({"a": 0.0}).imbalance == 0.0


@at_best
def test_functions_that_others_wait_for_come_first(connected: Session) -> None:
    connected.run("%px import time")
    result = connected.run(
        "%prun -q -o --engines view work(5); time.sleep(share / 2800)"
    ).value
    place, calls, balance = spread(result)[0]
    assert "sleep" in result.functions[place].name
    assert calls == 4
    assert balance.most == "engine 3"
    assert balance.imbalance > 1


def test_engines_are_those_of_px_or_of_the_first_word(connected: Session) -> None:
    connected.run("%px import os")
    one = connected.run("%prun -q -o --engines client[1] os.getpid()").value
    assert list(one.by_process()) == ["engine 1"]
    some = connected.run("%prun -q -o --engines view os.getpid()").value
    assert len(some.by_process()) == 4
    every = connected.run("%prun -q -o --engines os.getpid()").value
    assert list(some.by_process()) == list(every.by_process())[:4]
    # The name of a view is a statement too, where nothing follows it: then it is the view.
    cell = connected.run("%%prun -q -o --engines client[:2]\nos.getpid()\nos.getppid()")
    assert [part.calls for part in cell.value.by_process().values()] == [3, 3]


def test_options_are_those_of_the_magic(connected: Session, tmp_path: Any) -> None:
    file = tmp_path / "a.prof"
    ran = connected.run(
        f"%prun --engines -D {file} -s cumulative -l 1 --no-builtins --mem view work(10)"
    )
    assert "Ordered by: cumulative time" in ran.stdout
    assert "List reduced from" in ran.stdout
    assert "built-in method" not in ran.stdout
    assert "allocated" in ran.stdout
    assert file.stat().st_size > 0


def test_what_the_code_raises_is_raised_after_the_result(connected: Session) -> None:
    ran = connected.run("%prun --engines view work(7); 1 / (share < 1000)")
    assert isinstance(ran.error, ipyparallel.CompositeError)
    assert "ZeroDivisionError" in str(ran.error)
    assert "1 ended by an error; engine 3: ZeroDivisionError" in ran.stdout
    assert "ended early by an exception" in ran.stdout
    assert "       28 " in next(
        line for line in ran.stdout.splitlines() if "(leaf)" in line
    )


def test_what_a_function_raises_is_raised_with_its_result(view: Any) -> None:
    def fails(count: int) -> None:
        raise KeyError(count)

    with pytest.raises(ipyparallel.CompositeError) as raised:
        live.profile(view, fails, 3)
    assert len(raised.value.elist) == 4
    assert calls_of(raised.value.result, "fails") == 4


def test_what_the_code_prints_is_shown(connected: Session) -> None:
    ran = connected.run("%prun -q --engines view print('share', share)")
    assert "[stdout:3]" in ran.stdout
    assert "share 1400" in ran.stdout


def test_the_namespaces_stay_as_they_are(connected: Session, view: Any) -> None:
    names = "sorted(name for name in globals() if name[0] != '_' or 'nbprobe' in name)"
    view.execute(f"names = None; names = {names}", block=True)
    connected.run("%prun -q --engines view work(3)")
    view.execute(f"same = names == {names}", block=True)
    assert view.pull("same", block=True) == [True] * 4
    view.execute("del names, same", block=True)


def test_engines_without_it_or_with_another_version_are_named(view: Any) -> None:
    one, other, third = (view.client[number] for number in ENGINES[:3])
    one.execute("import sys; sys.modules['nbprobe._core'] = None", block=True)
    other.execute(
        "import nbprobe._core as core; kept = core.__version__; core.__version__ = '0.0'",
        block=True,
    )
    third.execute(
        "import nbprobe.live.engine as e; kept = e.record; e.record = lambda *a: b'no'",
        block=True,
    )
    try:
        result = live.profile(view, os.getpid)
        with pytest.raises(
            nbprobe.errors.EnginesError, match="engine 0: nbprobe is not"
        ):
            live.profile(one, os.getpid)
    finally:
        one.execute("del sys.modules['nbprobe._core']", block=True)
        other.execute("core.__version__ = kept", block=True)
        third.execute("e.record = kept", block=True)
    notes = {each.name: each.note for each in result.processes if each.note}
    version = nbprobe.__version__
    assert notes["engine 0"].startswith("nbprobe is not installed there")
    assert notes["engine 1"].startswith(f"nbprobe 0.0 there, {version} here")
    assert notes["engine 2"].startswith("a damaged reply")
    assert list(result.by_process()) == ["engine 3"]


def test_a_killed_engine_leaves_the_others_results(client: Any, view: Any) -> None:
    def work(victim: int) -> None:
        import os
        import signal

        if os.environ.get("victim") == str(victim):
            os.kill(os.getpid(), signal.SIGKILL)

    client[VICTIM].execute(f"import os; os.environ['victim'] = '{VICTIM}'", block=True)
    result = live.profile(client[[0, 3, VICTIM]], work, VICTIM)
    states = {each.name: each.state for each in result.processes}
    assert states == {
        "engine 0": "finished",
        "engine 3": "finished",
        "engine 4": "lost",
    }
    assert calls_of(result, "work") == 2
    assert "1 died, and its figures with it" in str(result)
    # Those that live are as good as before, and the dead one is named.
    again = live.profile(client[[0, 3]], os.getpid)
    assert len(again.by_process()) == 2


def test_an_interrupt_shows_what_ran(
    connected: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import _thread

    shown = Shown(tmp_path / "seen")
    monkeypatch.setattr(display, "_target", lambda shell: shown)
    connected.run("%config LiveDisplay.after = 0.01")
    connected.run("%px import pathlib, time")

    def interrupt() -> None:
        wait_until(lambda: len(list(tmp_path.glob("at *"))) == 4)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    at = f"pathlib.Path({str(tmp_path)!r}, f'at {{share}}').touch()"
    ran = connected.run(f"%prun --engines view work(4); {at}; time.sleep(300)")
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert "4 engines: 4 ended by an error" in ran.stdout
    assert "(leaf)" in ran.stdout
    # The display has ended before, and waits for no other result.
    assert shown.texts[-1] == ""
    assert LIVE not in {thread.name for thread in threading.enumerate()}


def test_an_interrupt_before_there_is_anything_is_one(
    connected: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Outcome:
        return Outcome(Gathered(), 1, 0, None, True, lambda: None)

    monkeypatch.setattr(magic, "ask", interrupted)
    ran = connected.run("%prun --engines view work(4)")
    assert isinstance(ran.error, KeyboardInterrupt)


class Shown:
    """Keeps what a display would show, and lets the last engine go on."""

    def __init__(self, seen: Any) -> None:
        self.texts: list[str] = []
        self._seen = seen

    def begin(self) -> None:
        pass

    def show(self, magic: str, progress: Any) -> None:
        self.texts.append(view_waiting.text(magic, progress))
        if "3 of 4 engines answered" in self.texts[-1]:
            self._seen.touch()

    def end(self, note: str) -> None:
        self.texts.append(note)


@pytest.mark.parametrize("name", ["prun", "lprun", "memit", "timeit -n 1 -r 1"])
def test_who_has_answered_is_shown_meanwhile(
    connected: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, name: str
) -> None:
    shown = Shown(tmp_path / "seen")
    monkeypatch.setattr(display, "_target", lambda shell: shown)
    connected.run("%config LiveDisplay.after = 0.01")
    connected.run("%px import os, time")
    # The last one waits until it is shown that the others have answered, or for a minute.
    wait = f"share < 1000 or os.path.exists({str(tmp_path / 'seen')!r})"
    ran = connected.run(
        f"%{name} --engines view next(n for n in range(6000)"
        f" if {wait} or n == 5999 or time.sleep(0.01))"
    )
    assert ran.error is None
    begin = f"%{name.split()[0]} --engines: "
    assert all(text.startswith(begin) for text in shown.texts[:-1])
    three = next(text for text in shown.texts if "3 of 4 engines answered" in text)
    assert three.splitlines()[1].startswith("engine 3  ")
    assert shown.texts[-1] == ""
    assert LIVE not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("option", ["-q", "--no-live", "enabled = False"])
def test_the_display_can_be_turned_off(
    connected: Session, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    shown: list[bool] = []
    monkeypatch.setattr(display, "_target", lambda shell: shown.append(True))
    if "=" in option:
        connected.run(f"%config LiveDisplay.{option}")
        option = ""
    assert connected.run(f"%prun {option} --engines client[0] share").error is None
    assert shown == []


def test_usage_errors_are_one_line(connected: Session, monkeypatch: Any) -> None:
    def said(line: str) -> str:
        return connected.run(line).usage_error

    assert "leave out" in said("%prun --engines --children work(1)")
    assert "there is no statement" in said("%prun --engines view")
    connected.names["view"] = 3
    assert connected.run("%prun --engines )").error.__class__ is SyntaxError
    del connected.shell.magics_manager.magics["line"]["px"]
    assert "there is no client" in said("%prun --engines work(1)")
    monkeypatch.setitem(sys.modules, "ipyparallel", None)
    assert said("%prun --engines work(1)") == (
        "%prun --engines: ipyparallel is not installed; pip install 'nbprobe[ipyparallel]'"
    )


def test_lines_are_added_up(connected: Session) -> None:
    ran = connected.run("%lprun -v lines --engines -f work -f leaf view work(share)")
    assert ran.error is None
    result = connected.names["lines"]
    assert isinstance(result, LineResult)
    hits = {
        label: {each.name: each.hits for each in part.functions}
        for label, part in result.by_process().items()
    }
    assert hits == {
        f"engine {number}": {"work": 1, "leaf": share}
        for number, share in enumerate((100, 200, 300, 1400))
    }
    (leaf,) = (each for each in result.functions if each.name == "leaf")
    assert leaf.hits == 2000
    # Defined on the engines: their text is known there.
    assert leaf.source == ("def leaf(number):", "    return number * number")
    own = {label: part.self_ns for label, part in result.by_process().items()}
    assert result.self_ns == pytest.approx(sum(own.values()))
    assert "2000" in ran.stdout and "return number * number" in ran.stdout
    assert "4 engines: 4 finished" in ran.stdout
    _, line, balance = spread_of_lines(result)[0]
    # Of clocks, not of counts: on a busy machine it need not be the one with the most hits.
    of_line = {
        label: sum(
            each.self_ns
            for function in part.functions
            for each in function.lines
            if each.number == line.number
        )
        for label, part in result.by_process().items()
    }
    assert balance.most == max(of_line, key=lambda label: of_line[label])
    assert "Own time by process" in result._repr_mimebundle_()["text/html"]


def test_lines_of_a_function_that_was_sent_have_their_text(view: Any) -> None:
    def counted(count: int) -> int:
        total = 0
        for number in range(count):
            total += number
        return total

    result = live.profile(view, counted, 10, tool="lprun")
    (function,) = (each for each in result.functions if each.name.endswith("counted"))
    assert function.hits == 4 * (1 + 11 + 10 + 1)
    assert function.source[0].strip() == "def counted(count: int) -> int:"


def test_lines_until_an_error(connected: Session) -> None:
    ran = connected.run("%lprun --engines -f work view work(3); 1 / (share < 1000)")
    assert isinstance(ran.error, ipyparallel.CompositeError)
    assert "ended early by ZeroDivisionError" in ran.stdout
    said = connected.run("%lprun --engines -f nobody view work(3)").usage_error
    assert said.startswith("%lprun: ") and "nobody" in said
    said = connected.run("%lprun --engines --children view work(3)").usage_error
    assert "leave out" in said


def test_memory_of_each_engine(connected: Session) -> None:
    ran = connected.run("%memit -v memory --engines view kept = bytes(share * 10**4)")
    assert ran.error is None
    result = connected.names["memory"]
    assert isinstance(result, EngineMemory)
    parts = result.by_process()
    assert list(parts) == ["engine 0", "engine 1", "engine 2", "engine 3"]
    sizes = [part.allocated_bytes for part in parts.values()]
    for size, share in zip(sizes, (100, 200, 300, 1400), strict=True):
        assert size == pytest.approx(share * 10**4, rel=0.01)
    assert result.allocated_bytes == sum(sizes)
    assert result.allocations == sum(part.allocations for part in parts.values())
    place, bytes_, balance = result.lines()[0]
    assert place.text == "kept = bytes(share * 10**4)"
    assert bytes_ == pytest.approx(2 * 10**7, rel=0.01)
    assert balance.most == "engine 3"
    assert balance.imbalance == pytest.approx(1.8, rel=0.02)
    assert "4 engines: 4 finished" in ran.stdout
    rows = {record["engine"]: record for record in result.records()}
    assert rows["engine 1"]["allocated_bytes"] == sizes[1]
    connected.run("%px del kept")
    setup = connected.run("%%memit -q -o --engines view n = share\nbytes(n)").value
    assert len(setup.parts) == 4


def test_one_statement_is_timed_on_each_engine(connected: Session) -> None:
    connected.run("%config TimeitMagics.statistic = 'median'")
    ran = connected.run("%timeit -v times --engines view sum(range(share * 20))")
    assert ran.error is None
    result = connected.names["times"]
    assert isinstance(result, Comparison)
    parts = result.by_process()
    assert list(parts) == ["engine 0", "engine 1", "engine 2", "engine 3"]
    assert {part.statement for part in parts.values()} == {"sum(range(share * 20))"}
    assert min(ratio.value for ratio in result.ratios) == 1.0
    assert {part.statistic for part in parts.values()} == {"median"}
    assert "on all engines at the same time" in ran.stdout
    assert "4 engines: 4 finished" in ran.stdout
    counted = connected.run("%timeit -q -o -n 7 -r 3 --engines view.client[0] share")
    (one,) = counted.value.by_process().values()
    assert (one.loops, one.repeat, one.executions) == (7, 3, 21)


def test_options_that_need_one_process_are_refused(connected: Session) -> None:
    for line in (
        "%memit --engines --name a view share",
        "%memit --engines --vs a view share",
        "%timeit --engines --vs 1 view share",
        "%timeit --engines --name a view share",
    ):
        assert "leave out" in connected.run(line).usage_error


def test_what_is_no_view_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match=r"client\[:\]"):
        live.profile(client.load_balanced_view(), os.getpid)
    with pytest.raises(ValueError, match="tool must be one of"):
        live.profile(client, os.getpid, tool="why")


def test_results_survive_a_file(view: Any, tmp_path: Any) -> None:
    for tool in ("timeit", "memit", "lprun", "prun"):
        result = live.profile(view, os.getpid, tool=tool)
        result.save(tmp_path / "a.json")
        assert nbprobe.load(tmp_path / "a.json") == result
    assert json.loads((tmp_path / "a.json").read_text())["kind"] == "prun"


def test_a_request_of_another_session_is_not_taken(view: Any) -> None:
    outcome = ask(view, "prun", "-- work(1)")
    assert outcome.gathered.faults == 0
    assert outcome.slowest_ns <= outcome.wall_ns
