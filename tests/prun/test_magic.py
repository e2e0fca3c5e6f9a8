"""%prun in a real shell: the built-in's flags, and what it does better."""

from __future__ import annotations

import pstats
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from nbprobe.prun import ProfileResult

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

DEFINE = """
def leaf(n): return abs(n)
def tree(n): return [leaf(i) for i in range(n)]
"""


@pytest.fixture
def defined(session: Session) -> Session:
    session.run(DEFINE)
    return session


def names(result: ProfileResult) -> set[str]:
    return {function.name for function in result.functions}


def test_the_table_is_on_stdout(defined: Session) -> None:
    ran = defined.run("%prun tree(20)")
    assert ran.error is None
    assert "function calls" in ran.stdout
    assert "Ordered by: internal time" in ran.stdout
    assert re.search(r"\n +20 +0\.000 .*\(leaf\)\n", ran.stdout)
    assert "exec" not in ran.stdout and "disable" not in ran.stdout
    assert ran.value is None


def test_both_forms_profile_the_first_line(defined: Session) -> None:
    line = defined.run("%prun -q -o a = tree(2); b = 1").value
    cell = defined.run("%%prun -q -v kept a = tree(2)\nb = a\nleaf(b[0])")
    assert cell.error is None
    assert line.calls + 2 == defined.names["kept"].calls
    assert defined.names["b"] == [0, 1]
    assert defined.names["kept"].statement == "a = tree(2)\nb = a\nleaf(b[0])"


def test_sort_and_limits(defined: Session) -> None:
    text = defined.run("%prun -s cumulative -s name -l leaf -l 1 tree(3)").stdout
    assert "Ordered by: cumulative time, function name" in text
    assert "due to restriction <'leaf'>" in text
    assert "(tree)" not in text
    assert defined.run("%prun -s cumu tree(3)").error is None


def test_the_stats_of_pstats(defined: Session) -> None:
    stats = defined.run("%prun -q -r tree(3)").value
    assert isinstance(stats, pstats.Stats)
    assert stats.fcn_list is not None  # type: ignore[attr-defined]


def test_files_and_their_messages(
    defined: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = defined.run("%prun -q -D d.prof -T t.txt --export e.collapsed tree(3)")
    assert ran.stdout == (
        "\n*** Profile stats marshalled to file 'd.prof'.\n"
        "\n*** Profile printout saved to text file 't.txt'.\n"
        "\n*** Profile exported to file 'e.collapsed'.\n"
    )
    assert pstats.Stats("d.prof").total_calls >= 7  # type: ignore[attr-defined]
    assert "function calls" in Path("t.txt").read_text()
    assert "leaf" in Path("e.collapsed").read_text()


def test_system_exit_is_caught_as_the_built_in_does(defined: Session) -> None:
    ran = defined.run("import sys\n%prun tree(2); sys.exit(3)")
    assert ran.error is None
    assert "*** SystemExit exception caught in code being profiled." in ran.stdout
    assert "(leaf)" in ran.stdout and "ended early" in ran.stdout


@pytest.mark.parametrize("error", ["ValueError", "KeyboardInterrupt"])
def test_an_exception_keeps_the_profile(defined: Session, error: str) -> None:
    ran = defined.run(f"%prun -v kept tree(2); raise {error}")
    assert type(ran.error).__name__ == error
    assert "(leaf)" in ran.stdout and "ended early" in ran.stdout
    assert defined.names["kept"].interrupted
    assert "nbprobe" not in ran.stderr


def test_local_names_are_seen_and_stay_local(defined: Session) -> None:
    defined.run(
        "def outer(size):\n"
        "    get_ipython().run_line_magic('prun', '-q -v kept more = list(map(lambda i:"
        " leaf(i + size), range(size)))')\n"
        "    return size\n"
    )
    ran = defined.run("outer(4)")
    assert (ran.error, ran.value) == (None, 4)
    assert "leaf" in names(defined.names["kept"])
    assert "more" not in defined.names and "size" not in defined.names


def test_await_is_allowed(defined: Session) -> None:
    ran = defined.run("import asyncio\n%prun -q -o await asyncio.sleep(0.01); x = 5")
    assert ran.error is None
    assert "sleep" in names(ran.value)
    assert defined.names["x"] == 5


def test_builtins_can_be_left_out(defined: Session) -> None:
    result = defined.run("%prun -q -o --no-builtins tree(3)").value
    assert names(result) <= {"<module>", "tree", "leaf", "<listcomp>"}


def test_profiling_within_a_profile(defined: Session) -> None:
    defined.run("import cProfile\nouter = cProfile.Profile()")
    ran = defined.run("outer.enable()\n%prun -q -o tree(2)\nouter.disable()")
    assert ran.error is None
    ran = defined.run("%prun -q -o get_ipython().run_line_magic('prun', '-q tree(2)')")
    assert "leaf" in names(ran.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%prun", "there is no statement"),
        ("%prun -s speed f()", "-s takes one of calls, cumtime"),
        ("%prun -l ( f()", "-l takes a number of lines"),
        ("%prun -r -o f()", "choose one"),
        ("%prun -z f()", "unknown option -z"),
    ],
)
def test_wrong_use_is_one_line(session: Session, line: str, message: str) -> None:
    assert message in session.run(line).usage_error


def test_a_syntax_error_points_into_the_cell(session: Session) -> None:
    error: Any = session.run("%%prun\nx = 1\ny = )").error
    assert isinstance(error, SyntaxError)
    assert error.lineno == 3


def test_nothing_stays_switched_on(defined: Session) -> None:
    for statement in ("tree(1)", "1 / 0", "raise SystemExit"):
        defined.run(f"%prun -q {statement}")
        assert sys.getprofile() is None
        if sys.version_info >= (3, 12):
            assert sys.monitoring.get_tool(4) is None
