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
    assert re.search(r"\n +20 +\d+\.\d{3} .*\(leaf\)\n", ran.stdout)
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


@pytest.mark.parametrize("flag", ["-T", "-D", "--export"])
def test_a_file_that_cannot_be_written_is_one_line(
    defined: Session, flag: str, tmp_path: Path
) -> None:
    path = tmp_path / "full.prof"
    path.symlink_to("/dev/full")
    ran = defined.run(f"%prun -v kept {flag} {path} tree(2)")
    assert "function calls" in ran.stdout
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"UsageError: %prun: {flag} {path}: No space left on device")
    assert defined.names["kept"].calls


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


def test_what_is_hidden_is_still_in_the_result(defined: Session) -> None:
    ran = defined.run("%prun -o --hide leaf tree(3)")
    assert "(leaf)" not in ran.stdout and "{built-in method builtins.abs}" in ran.stdout
    assert "'leaf' hidden: 1 function folded into their callers" in ran.stdout
    assert "leaf" in names(ran.value)
    assert "(leaf)" in str(ran.value.select())
    assert (
        "(tree)" not in defined.run("%prun --ignore leaf --ignore tree abs(1)").stdout
    )
    focus = defined.run("%prun --focus abs leaf(1); tree(2)").stdout
    assert "only calls through 'abs'" in focus


def test_threads_and_folding(defined: Session) -> None:
    ran = defined.run(
        "import threading\nworker = threading.Thread(target=tree, args=(3,), name='bee')\n"
        "%prun --threads --fold worker.start(); worker.join()"
    )
    assert ran.error is None
    assert "Thread bee" in ran.stdout and "Thread MainThread" in ran.stdout


def test_a_named_run_is_compared_with(defined: Session, tmp_path: Path) -> None:
    first = defined.run("%prun -o --name first tree(10)")
    assert "before" not in first.stdout
    again = defined.run("%prun --name first tree(50_000)")
    assert "Slower: +" in again.stdout and "(tree)" in again.stdout
    other = defined.run("%prun -o --vs first tree(10)")
    assert "Faster: -" in other.stdout
    assert isinstance(other.value, ProfileResult)
    first.value.save(tmp_path / "first.json")
    ran = defined.run(f"%prun -q --vs {tmp_path / 'first.json'} tree(10)")
    assert (ran.error, ran.stdout) == (None, "")
    assert "did you mean first?" in defined.run("%prun --vs firts x = 1").usage_error


def test_a_run_with_wrong_options_does_not_run(defined: Session) -> None:
    defined.run("done = []")
    for options in ("--vs nothing", "--export a.b", "--hide ("):
        defined.run(f"%prun {options} done.append(1)")
    assert defined.names["done"] == []


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
        ("%prun --hide ( f()", "--hide takes a regular expression (missing )"),
        (
            "%prun --focus '' f()",
            "--focus takes a regular expression that is not empty",
        ),
        ("%prun --builtins --no-builtins f()", "choose one"),
        ("%prun --tasks --sample 100 f()", "choose one"),
        ("%prun --export a.what f()", "tells no format; its ending must be"),
        ("%prun --vs before f()", "%prun: there is no run 'before' yet: keep one with"),
        ("%prun --vs '' f()", "--vs takes a name"),
        ("%prun -T /nowhere/a.txt f()", "-T takes the name of a file in a folder that"),
        ("%prun -D / f()", "-D takes the name of a file, which is no folder"),
        ("%prun --export /nowhere/a.prof f()", "in a folder that exists"),
        ("%prun -v class f()", "-v takes the name of a variable"),
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
            assert [sys.monitoring.get_tool(tool) for tool in range(6)] == [None] * 6
