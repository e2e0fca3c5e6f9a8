"""%lprun in a real shell: line_profiler's flags, and what they lack."""

from __future__ import annotations

import builtins
import gc
import re
import sys
import threading
import types
from pathlib import Path
from typing import Any

import line_profiler
import pytest

from nbprobe.lprun import LineProfiler, LineResult, load_stats

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

DEFINE = """
class Tree:
    def build(self, n):
        return [leaf(i) for i in range(n)]
def leaf(n):
    half = n // 2
    return half
"""


@pytest.fixture
def defined(session: Session) -> Session:
    session.run(DEFINE)
    return session


def names(result: LineResult) -> list[str]:
    return [function.name for function in result.functions]


def hits(result: LineResult, name: str) -> list[int]:
    (function,) = (each for each in result.functions if each.name == name)
    return [line.hits for line in function.lines]


def test_functions_are_found_without_f(defined: Session) -> None:
    ran = defined.run("%lprun Tree().build(5)")
    assert ran.error is None and ran.value is None
    assert "Timer unit: 1e-09 s" in ran.stdout
    assert (
        "Line #      Hits         Time  Per Hit   % Time  Line Contents" in ran.stdout
    )
    assert re.search(r"\n +5 +5 .*  +half = n // 2\n", ran.stdout)
    assert "Function: Tree.build at line 2" in ran.stdout
    result = defined.run("%lprun -q -o Tree().build(5)").value
    assert sorted(names(result)) == ["Tree.build", "leaf"]


def test_named_functions_only(defined: Session) -> None:
    result = defined.run("%lprun -q -o -f Tree.build Tree().build(5)").value
    assert names(result) == ["Tree.build"]
    result = defined.run("%lprun -q -o -f leaf -f Tree Tree().build(5)").value
    assert names(result) == ["leaf", "Tree.build"]


def test_cell_profiles_its_own_lines(defined: Session) -> None:
    cell = "%%lprun -q -v kept\nfor i in range(3):\n    y = leaf(i)\nz = y"
    ran = defined.run(cell)
    assert ran.error is None
    kept = defined.names["kept"]
    assert hits(kept, "<module>") == [4, 3, 1]
    assert hits(kept, "leaf") == [3, 3]
    assert defined.names["z"] == 1
    module = next(each for each in kept.functions if each.name == "<module>")
    assert module.source[1] == "for i in range(3):"


def test_functions_of_the_cell_itself(session: Session) -> None:
    cell = "%%lprun -q -v kept\ndef f(x):\n    return x\nf(1); f(2)"
    session.run(cell)
    assert hits(session.names["kept"], "f") == [2]


def test_equal_functions_of_two_cells_are_two(session: Session) -> None:
    define = "def {}(n):\n    def inner():\n        return n\n    return inner()"
    session.run(define.format("f"))
    session.run("one = f")
    session.run(define.format("f"))
    assert session.names["one"].__code__ == session.names["f"].__code__
    result = session.run("%lprun -q -o one(1); f(2); f(3)").value
    hits_of_all = [line.hits for each in result.functions for line in each.lines]
    assert sorted(hits_of_all) == [1, 1, 1, 2, 2, 2]
    assert len({each.file for each in result.functions}) == 2
    assert len(result.functions) == 4


def test_lprun_all_is_the_same(defined: Session) -> None:
    ran = defined.run("%%lprun_all -t\nx = leaf(1)\nx += 1")
    assert ran.error is None
    assert re.search(r"\n +2 +1 .*x = leaf\(1\)\n", ran.stdout)
    assert 0 < defined.names["_total_time_taken"] < 10
    only = defined.run("%%lprun -p\nx = leaf(1)").stdout
    assert "Function: leaf" not in only and "x = leaf(1)" in only


def test_modules_and_patterns(defined: Session) -> None:
    import colorsys

    code = colorsys.rgb_to_hls.__code__
    defined.run("import colorsys")
    line = "%lprun -q -o -z -m {} colorsys.rgb_to_hls(0.1, 0.2, 0.3)"
    for name in ("colorsys", "'color*s'"):
        result = defined.run(line.format(name)).value
        assert "rgb_to_hls" in [each.name for each in result.shown()]
        assert len(result.functions) > len(result.shown())
    assert colorsys.rgb_to_hls.__code__ is code


def test_files(defined: Session, tmp_path: Path) -> None:
    dump, text = tmp_path / "a.lprof", tmp_path / "a.txt"
    ran = defined.run(f"%lprun -f leaf -D {dump} -T {text} leaf(4)")
    assert "*** Profile stats pickled to file" in ran.stdout
    assert "*** Profile printout saved to text file" in ran.stdout
    (key,) = load_stats(dump).timings
    assert key[1:] == (4, "leaf")
    assert line_profiler.load_stats(dump) == load_stats(dump)
    assert "half = n // 2" in text.read_text()


def test_unit_and_zeros(defined: Session) -> None:
    assert "Timer unit: 1e-06 s" in defined.run("%lprun -u 1e-6 leaf(4)").stdout
    both = "%lprun -f leaf -f Tree leaf(4)"
    assert "Tree.build" in defined.run(both).stdout
    for flag in ("-z", "-s"):
        assert (
            "Tree.build" not in defined.run(both.replace("-f", f"{flag} -f", 1)).stdout
        )


def test_the_profiler_is_returned(defined: Session) -> None:
    profiler = defined.run("%lprun -q -r -f leaf leaf(4)").value
    assert isinstance(profiler, LineProfiler)
    assert profiler.enable_count == 0
    assert [len(rows) for rows in profiler.get_stats().timings.values()] == [2]


def test_the_profiler_has_what_was_found_and_called(defined: Session) -> None:
    profiler = defined.run("def other(): return 1\n%lprun -q -r leaf(4)").value
    assert [name for _, _, name in profiler.get_stats().timings] == ["leaf"]
    assert names(profiler.result()) == ["leaf"]


def test_threads_that_ended_have_their_names(session: Session) -> None:
    session.run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def job(n): return n + 1\n"
        "def pooled():\n"
        "    with ThreadPoolExecutor(1, 'mine') as pool:\n"
        "        return list(pool.map(job, range(3)))"
    )
    result = session.run("%lprun -o --threads --sort name pooled()").value
    assert "mine_0" in result.threads
    # A thread is shown with what it has called, and with nothing else.
    assert re.findall("(?:Thread|Function): .*", str(result)) == [
        "Function: job at line 2",
        "Thread: mine_0",
        "Function: job at line 2",
        "Function: pooled at line 3",
        "Thread: MainThread",
        "Function: pooled at line 3",
    ]
    assert threading.Thread.start.__module__ == "threading"


def test_profile_is_a_builtin_meanwhile(session: Session) -> None:
    cell = "%%lprun -q -r\n@profile\ndef f():\n    return 1\nf()"
    assert session.run(cell).error is None
    assert not hasattr(builtins, "profile")


def test_sort_and_top(defined: Session) -> None:
    result = defined.run("%lprun -o --sort name --top 1 Tree().build(3)")
    assert "Function: Tree.build" in result.stdout
    assert "Function: leaf" not in result.stdout
    assert len(result.value.functions) == 2


def test_threads(defined: Session) -> None:
    defined.run("import threading")
    defined.run(
        "def both():\n"
        "    t = threading.Thread(target=leaf, args=(1,), name='helper')\n"
        "    t.start(); t.join(); leaf(2)"
    )
    ran = defined.run("%lprun -o --threads -f leaf both()")
    assert "Thread: MainThread" in ran.stdout and "Thread: helper" in ran.stdout
    (function,) = ran.value.functions
    assert [line.hits for line in function.lines] == [2, 2]
    assert [[line.hits for line in table] for table in function.threads] == [[1, 1]] * 2


def test_memory_in_the_same_run(session: Session) -> None:
    session.run("def work(n):\n    a = [0] * n\n    del a\n    return bytes(n)")
    ran = session.run("%lprun --mem -o work(100_000)")
    titles = r"% Time +kept +allocated +peak  Line Contents"
    assert re.search(titles, ran.stdout)
    assert re.search(r" 781 KiB +781 KiB +781 KiB +a = \[0\] \* n\n", ran.stdout)
    (function,) = ran.value.functions
    memory = [line.memory for line in function.lines]
    assert 800_000 <= memory[0].net_bytes <= memory[0].allocated_bytes < 801_000
    assert memory[0].peak_bytes >= 800_000
    assert -801_000 < memory[1].net_bytes <= -800_000
    assert 100_000 <= memory[2].allocated_bytes < 101_000
    rows = (ran.value + ran.value).records()
    assert rows[0]["net_bytes"] == 2 * memory[0].net_bytes
    assert rows[0]["peak_bytes"] == memory[0].peak_bytes
    assert (
        session.run("%lprun -q -o work(5)").value.functions[0].lines[0].memory is None
    )


def test_named_runs_are_compared(defined: Session, tmp_path: Path) -> None:
    defined.run("%lprun -q --name first Tree().build(50)")
    defined.run("def leaf(n):\n    return n >> 1")
    ran = defined.run("%lprun --vs first Tree().build(50)")
    assert " before, " in ran.stdout and " now" in ran.stdout
    assert re.search(r"\n- +50 .*half = n // 2\n", ran.stdout)
    assert re.search(r"\n\+ +50 .*return n >> 1", ran.stdout)
    path = tmp_path / "kept.json"
    defined.run("%lprun -q -o Tree().build(50)").value.save(path)
    assert " now" in defined.run(f"%lprun --vs {path} Tree().build(50)").stdout
    again = defined.run("%lprun --name first Tree().build(50)")
    assert " before, " in again.stdout
    unknown = defined.run("%lprun --vs frist Tree().build(50)")
    assert "did you mean first?" in unknown.usage_error


def test_awaits(session: Session) -> None:
    session.run("import asyncio\nasync def nap():\n    await asyncio.sleep(0.02)")
    result = session.run("%lprun -q -o await nap()").value
    (function,) = (each for each in result.functions if each.name == "nap")
    assert function.awaited_ns >= 15e6
    cell = session.run("%%lprun -q -v kept\nawait nap()\nx = 1")
    assert cell.error is None and session.names["x"] == 1
    assert hits(session.names["kept"], "<module>") == [1, 1]


def test_local_names(defined: Session) -> None:
    defined.run(
        "def inside():\n"
        "    secret = 3\n"
        "    return get_ipython().run_line_magic('lprun', '-q -o leaf(secret)')"
    )
    result = defined.run("inside()").value
    assert hits(result, "leaf") == [1, 1]
    assert names(result) == [
        "leaf"
    ]  # and not the function that the statement was put in


def test_what_ran_before_an_error_is_shown(defined: Session) -> None:
    ran = defined.run("%lprun leaf(4); 1 / 0")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "half = n // 2" in ran.stdout
    assert "ended early by ZeroDivisionError" in ran.stdout
    assert "engine.py" not in ran.stdout + ran.stderr
    ran = defined.run("%lprun leaf(4); raise KeyboardInterrupt")
    assert "ended early by KeyboardInterrupt" in ran.stdout
    ran = defined.run("%lprun leaf(4); raise SystemExit(3)")
    assert ran.error is None
    assert "ended early by SystemExit" in ran.stdout
    assert "*** SystemExit exception caught" in ran.stdout


BAD = "-f nope: NameError: name 'nope' is not defined"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("-f nope", BAD),
        ("-f len", "-f len: written in C, it has no lines to profile"),
        ("-f Tree.__init__", "-f Tree.__init__: written in C, it has no lines"),
        ("-f 3", "-f 3: no function but a int"),
        ("-f (", "-f (: SyntaxError: "),
        ("-f int", "-f int: a class in which no Python functions are defined"),
        ("-m nomodule", "-m nomodule: ModuleNotFoundError: No module named 'nomodule'"),
        ("-m 'nomod*'", "-m nomod*: no module that is loaded has such a name"),
        ("-m math", "-m math: no Python functions are defined there"),
        ("-u 0", "-u 0: not a number of seconds above 0"),
        ("-u much", "-u much: not a number of seconds above 0"),
    ],
)
def test_bad_input_is_one_line_and_the_rest_is_profiled(
    defined: Session, options: str, line: str
) -> None:
    ran = defined.run(f"%lprun {options} -f leaf leaf(4)")
    assert ran.error is None
    assert "half = n // 2" in ran.stdout
    assert [each for each in ran.stdout.splitlines() if each.startswith(line)]
    if not options.startswith("-u"):
        alone = defined.run(f"%lprun {options} leaf(4)")
        assert alone.usage_error.startswith(f"%lprun: {line}")


def test_function_without_text_is_profiled(session: Session) -> None:
    # Another test may have given "<string>" a text.
    session.run("import linecache; linecache.cache.pop('<string>', None)")
    session.run("exec('def made_up(x):\\n    return x')")
    ran = session.run("%lprun -f made_up made_up(1)")
    assert "(defined by exec() or eval(), which keep no text)" in ran.stdout
    assert re.search(r"\n +2 +1 +\d", ran.stdout)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("%lprun", "there is no statement to profile"),
        ("%lprun --top 0 leaf(1)", "--top takes a whole number from 1"),
        ("%lprun --sort hit leaf(1)", "did you mean hits?"),
        ("%lprun -r -o leaf(1)", "choose one"),
        ("%lprun -x leaf(1)", "unknown option -x"),
        (
            "%lprun -D /nowhere/a.lprof leaf(1)",
            "-D takes the name of a file in a folder",
        ),
        ("%lprun -T / leaf(1)", "-T takes the name of a file, which is no folder"),
    ],
)
def test_wrong_options_are_one_line(defined: Session, line: str, error: str) -> None:
    assert error in defined.run(line).usage_error


def test_nothing_of_the_users_was_called(session: Session) -> None:
    ran = session.run("%lprun sum([1, 2])")
    assert ran.error is None
    assert "no function of yours was called: name one with -f" in ran.stdout


def test_nothing_is_left_behind(defined: Session) -> None:
    functions = [each for each in gc.get_objects() if type(each) is types.FunctionType]
    before = [(function, function.__code__) for function in functions]
    defined.run("%lprun Tree().build(3)")
    defined.run("%%lprun\nTree().build(3)\n1 / 0")
    for function, code in before:
        assert function.__code__ is code
    assert sys.gettrace() is None
    if sys.version_info >= (3, 12):
        assert "nbprobe lines" not in map(sys.monitoring.get_tool, range(6))


def test_help_lists_every_option(session: Session) -> None:
    text: Any = session.shell.find_line_magic("lprun").__doc__
    for flag in ("-f", "-m", "-D", "-T", "-s", "-z", "-u", "-r", "--threads", "--vs"):
        assert flag in text
    assert session.complete("%lprun --so") == ["--sort"]
