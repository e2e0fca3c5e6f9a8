"""Lines of child processes: the same counts as those of the same work done here."""

from __future__ import annotations

import ast
import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import nbprobe
from nbprobe.code import Code
from nbprobe.live.processes import Process
from nbprobe.lprun import Function, Line, LineProfiler, LineResult
from nbprobe.lprun.engine import profile
from nbprobe.lprun.merging import joined

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

HERE = os.path.dirname(__file__)
sys.path.insert(0, HERE)  # for child processes, which import it too
import known_work as works  # noqa: E402

IMPORT = f"import sys; sys.path.insert(0, {HERE!r}); import known_work as works; "

Counts = dict[tuple[str, int], int]

LEAF = works.leaf.__code__.co_firstlineno + 1
FORK = works.fork_and_work.__code__.co_firstlineno


def run(
    statement: str,
    *,
    functions: Sequence[Any] = (),
    memory: bool = False,
    children: bool = True,
    **names: Any,
) -> LineResult:
    """Profile a statement, what it calls or `functions`, with its children."""
    return profile(
        Code(statement, ast.parse(statement), "<statement>"),
        profiler=LineProfiler(*functions, memory=memory),
        globals={"works": works, "os": os, "sys": sys, "subprocess": subprocess}
        | names,
        discover=not functions,
        children=children,
    )


def counts(result: LineResult, *but: str) -> Counts:
    """Give how often each line of the works ran, without those of some functions."""
    return {
        (function.name, line.number): line.hits
        for function in result.functions
        if function.file == works.__file__ and function.name not in but
        for line in function.lines
        if line.hits
    }


@pytest.fixture(scope="module")
def expected() -> Counts:
    """Give what 4 x varied(60) does in one process."""
    result = run("for _ in range(4): works.varied(60)", children=False)
    found = counts(result)
    assert found["leaf", LEAF] == 4 * 20  # the odd ones that 3 does not divide
    return found


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool(expected: Counts, method: str) -> None:
    result = run(
        "pool = context.Pool(2); pool.map(works.varied, [60] * 4, chunksize=1);"
        "pool.close(); pool.join()",
        context=multiprocessing.get_context(method),
    )
    assert counts(result) == expected
    parts = result.by_process()
    assert counts(parts.pop("")) == {}
    # One may have found no task left.
    assert set(parts) <= {process.label for process in result.processes}
    assert {process.state for process in result.processes} == {"finished"}
    assert result.problems == ()


def test_an_executor_whose_processes_live_on(expected: Counts) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        result = run("list(pool.map(works.varied, [60] * 4))", pool=pool)
        assert counts(result) == expected
        assert {process.state for process in result.processes} == {"running"}
        # Nothing is left in the code of those that live on.
        assert pool.submit(has_probes).result() is False
    assert not has_probes()


def has_probes() -> bool:
    constants = works.varied.__code__.co_consts + works.Table.total.__code__.co_consts
    return any("Probe" in type(constant).__name__ for constant in constants)


def test_a_program_and_a_module_imported_late(expected: Counts) -> None:
    code = IMPORT + "[works.varied_and_late(60) for _ in range(4)]"
    result = run("subprocess.run([sys.executable, '-c', code], check=True)", code=code)
    assert counts(result, "varied_and_late") == expected
    (late,) = (each for each in result.functions if each.name == "late")
    # What runs while a module is imported counts too.
    assert [line.hits for line in late.lines] == [5, 5 + 3 + 4 * 60, 3 + 4 * 60, 5]


def test_a_script(tmp_path: Path, expected: Counts) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"{IMPORT}\n\ndef main():\n    for _ in range(4):\n        works.varied(60)\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    result = run("subprocess.run([sys.executable, path], check=True)", path=str(script))
    assert counts(result) == expected
    (main,) = (each for each in result.functions if each.name == "main")
    assert [line.hits for line in main.lines] == [5, 4]


def test_a_fork_in_the_middle_of_a_function() -> None:
    result = run("works.fork_and_work(50)")
    (child,) = set(result.by_process()) - {""}
    parts = {label: counts(part) for label, part in result.by_process().items()}
    # What the parent had called before is the parent's.
    name = "fork_and_work"
    lines = {
        number - FORK: hits for (at, number), hits in parts[child].items() if at == name
    }
    assert lines == {4: 1, 5: 1}
    assert parts[child]["leaf", LEAF] == 50
    assert parts[""]["leaf", LEAF] == 7


def test_only_functions_that_were_named() -> None:
    code = IMPORT + "works.varied(60)"
    result = run(
        "subprocess.run([sys.executable, '-c', code]); works.varied(60)",
        functions=[works.leaf, works.Table.each],
        code=code,
    )
    assert {function.name for function in result.functions} == {"leaf", "Table.each"}
    assert counts(result)["leaf", LEAF] == 40


def test_a_process_of_a_process() -> None:
    result = run(
        "pool = context.Pool(1); pool.map(works.nested, [30]); pool.close(); pool.join()",
        context=multiprocessing.get_context("fork"),
    )
    inner, outer = sorted(result.processes, key=lambda process: process.name != "-c")
    assert inner.parent == outer.pid
    assert counts(result)["leaf", LEAF] == 60


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_memory_of_lines(method: str) -> None:
    result = run(
        "p = context.Process(target=works.keep, args=(1000,)); p.start(); p.join()",
        memory=True,
        context=multiprocessing.get_context(method),
    )
    (keep,) = (each for each in result.functions if each.name == "keep")
    memory = keep.lines[0].memory
    assert memory is not None
    assert 1_000_000 <= memory.allocated_bytes < 1_150_000
    assert memory.allocated_blocks >= 1000


def test_saved_and_loaded(tmp_path: Path) -> None:
    result = run(
        "p = context.Process(target=works.work, args=(5,)); p.start(); p.join()",
        context=multiprocessing.get_context("fork"),
    )
    result.save(tmp_path / "result.json")
    assert nbprobe.load(tmp_path / "result.json") == result
    assert "1 child process: 1 finished" in str(result)
    twice = result + result
    label = result.processes[0].label
    assert counts(twice.by_process()[label]) == {
        key: 2 * hits for key, hits in counts(result).items()
    }


def test_the_magics(session: Session) -> None:
    session.run(
        "from multiprocessing import get_context\n"
        "def leaf(number):\n"
        "    return number * number\n"
        "def work(count):\n"
        "    return sum(leaf(number) for number in range(count))\n"
        "def pool():\n"
        "    workers = get_context('fork').Pool(2)\n"
        "    workers.map(work, [20] * 4)\n"
        "    workers.close()\n"
        "    workers.join()"
    )
    lines = session.run("%lprun --children -q -o pool()").value
    (leaf,) = (each for each in lines.functions if each.name == "leaf")
    assert leaf.hits == 80
    calls = session.run("%prun --children -q -o pool()").value
    assert len(calls.processes) == 2
    memory = session.run("%memit --children -q -o pool()").value
    assert len(memory.by_process()) == 3


# ---- what is the same function ----


def one(file: str, hits: int, *, source: str = "def f():\n    pass") -> Function:
    line = Line(2, hits, 2.0 * hits, 1.0 * hits, 0.0, 3.0 * hits, 2.0 * hits)
    return Function(
        name="f",
        file=file,
        first=1,
        how="probes",
        source=tuple(source.splitlines()),
        note="",
        lines=(line,),
        threads=(),
    )


def result_of(*functions: Function) -> LineResult:
    empty = run("pass", children=False)
    return dataclasses.replace(empty, functions=functions, threads=("MainThread",))


def test_a_cell_is_the_same_function_whatever_its_file_is_called() -> None:
    own = result_of(one("/tmp/ipykernel_1/123.py", 3))
    part = result_of(one("/tmp/ipykernel_2/123.py", 4))
    whole = joined(own, [("a", part), ("b", part)])
    (function,) = whole.functions
    assert (function.hits, function.self_ns) == (11, 11.0)
    assert {label: part.hits for label, part in whole.by_process().items()} == {
        "": 3,
        "a": 4,
        "b": 4,
    }


def test_of_two_that_are_alike_the_one_of_the_same_file_is_meant() -> None:
    own = result_of(one("/a.py", 1), one("/b.py", 2))
    whole = joined(own, [("x", result_of(one("/b.py", 5), one("/c.py", 9)))])
    assert [(each.file, each.hits) for each in whole.functions] == [
        ("/a.py", 1),
        ("/b.py", 7),
        ("/c.py", 9),
    ]


def test_another_text_is_another_function() -> None:
    part = result_of(one("/a.py", 1, source="def f():\n    return"))
    assert len(joined(result_of(one("/a.py", 1)), [("x", part)]).functions) == 2


def test_figures_of_threads_without_a_process_are_refused() -> None:
    with pytest.raises(ValueError, match="every thread must have its process"):
        dataclasses.replace(result_of(), process_of=("a", "b"))


# ---- the command ----


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_command(tmp_path: Path, method: str) -> None:
    (tmp_path / "prog.py").write_text(
        "import multiprocessing, sys\n"
        "@profile\n"
        "def leaf(n):\n"
        "    return n * n\n"
        "def work(count):\n"
        "    return sum(leaf(n) for n in range(count))\n"
        "if __name__ == '__main__':\n"
        "    pool = multiprocessing.get_context(sys.argv[1]).Pool(2)\n"
        "    assert pool.map(work, [100] * 4) == [328350] * 4\n"
        "    pool.close()\n"
        "    pool.join()\n"
    )
    command = [sys.executable, "-m", "nbprobe", "lprun", "-l", "--children", "prog.py"]
    done = subprocess.run(
        [*command, method], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    # An installation that rebuilds itself on import starts programs of its own.
    assert "child processes: 2 finished" in done.stdout
    stats = nbprobe.lprun.load_stats(tmp_path / "prog.py.lprof")
    ((key, rows),) = stats.timings.items()
    assert key[2] == "leaf"
    assert [row[:2] for row in rows] == [(4, 400)]


def test_the_command_counts_lines_only() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbprobe", "lprun", "--children", "prog.py"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "use nbprobe prun --children" in done.stderr


def test_a_process_that_is_no_label() -> None:
    # A file may name anything.
    text = json.loads(result_of().to_json())
    text["data"]["processes"] = [
        dataclasses.asdict(Process(pid=1, parent=0, name="x", state="finished"))
    ]
    loaded = nbprobe.results.parse(json.dumps(text).encode())
    assert isinstance(loaded, LineResult)
    assert list(loaded.by_process()) == [""]
