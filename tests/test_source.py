"""The text of functions from everywhere that functions come from."""

from __future__ import annotations

import ast
import functools
import importlib
import linecache
import os
import runpy
import sys
import textwrap
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbprobe import source, texts
from nbprobe.source import Source, functions_in, is_users, source_of

TEXT = '''\
import functools

def plain(x):
    return x + 1


class Thing:
    """With methods."""

    def method(self):
        return [y for y in range(3)]

add = lambda x: (
    x + 1
)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "") or "":
            if str(tmp_path) in (sys.modules[name].__file__ or ""):
                del sys.modules[name]
    importlib.invalidate_caches()


def text_of(function: Any) -> tuple[int, str, str]:
    found = source_of(function.__code__, getattr(function, "__globals__", None))
    assert found.file == function.__code__.co_filename
    return found.first, "\n".join(found.lines), found.note


def test_module(folder: Path) -> None:
    (folder / "of_file.py").write_text(TEXT)
    module = importlib.import_module("of_file")
    assert text_of(module.plain) == (3, "def plain(x):\n    return x + 1", "")
    assert text_of(module.Thing.method)[0] == 10
    assert text_of(module.add) == (13, "add = lambda x: (\n    x + 1\n)", "")


def test_tree_has_the_numbers_of_the_code(folder: Path) -> None:
    (folder / "of_tree.py").write_text(TEXT)
    module = importlib.import_module("of_tree")
    tree = source_of(module.add.__code__).tree
    assert tree is not None
    assert (tree.lineno, tree.end_lineno) == (13, 15)  # type: ignore[attr-defined]


def test_file_whose_lines_moved_after_the_import(folder: Path) -> None:
    path = folder / "moved.py"
    path.write_text(TEXT)
    module = importlib.import_module("moved")
    path.write_text("# one\n# two\n" + TEXT)
    linecache.checkcache()
    assert text_of(module.plain) == (3, "def plain(x):\n    return x + 1", "")
    tree = source_of(module.plain.__code__).tree
    assert tree is not None and tree.lineno == 3  # type: ignore[attr-defined]


def test_file_edited_after_the_import(folder: Path) -> None:
    path = folder / "edited.py"
    path.write_text(TEXT)
    module = importlib.import_module("edited")
    path.write_text(TEXT.replace("x + 1", "x + 2"))
    first, text, note = text_of(module.plain)
    assert (first, note) == (3, source.UNSURE)
    assert "x + 2" in text
    path.write_text("nothing = 1\n" * 20)
    assert text_of(module.plain) == (3, "", source.CHANGED)
    path.write_text("not Python at all (")
    assert text_of(module.plain) == (3, "", source.CHANGED)


def test_text_that_linecache_still_has_from_before_the_edit(folder: Path) -> None:
    path = folder / "remembered.py"
    path.write_text(TEXT)
    module = importlib.import_module("remembered")
    linecache.getlines(str(path))
    path.write_text("nothing = 1\n")
    assert text_of(module.plain) == (3, "def plain(x):\n    return x + 1", "")


def test_lines_are_those_that_python_counts(folder: Path) -> None:
    # GIVEN a file with form feeds, and a character within a string that ends a paragraph
    work = "def work(n):\n    s = 'a\u2028b'\n    return n"
    last = "def last(n):\n    return n"
    (folder / "feeds.py").write_text(f"\f\na = 1\n\f{work}\n\f\n\n{last}\n", "utf-8")
    module = importlib.import_module("feeds")
    # WHEN functions behind them are looked up
    # THEN their text is theirs
    assert text_of(module.work) == (3, f"\f{work}", "")
    assert text_of(module.last) == (8, last, "")
    assert texts.lines_of("a\r\nb\rc\n\f\n") == ["a", "b", "c", "\f"]
    assert texts.lines_of("") == []


def test_text_that_is_sure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "sure.py"
    path.write_text(TEXT)
    code = importlib.import_module("sure").plain.__code__
    # GIVEN a file that is younger than the process
    assert texts.known_text(code) == ""
    # or older
    monkeypatch.setattr(texts, "_STARTED_NS", path.stat().st_ctime_ns + 1)
    assert texts.known_text(code) == TEXT
    # THEN one that is changed is not sure any more, whatever its time is set to
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_text(TEXT.replace("x + 1", "x + 2"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert texts.known_text(code) == ""
    # AND what was sure is found again when it is gone from the disk
    assert source_of(code, None, TEXT).lines == ("def plain(x):", "    return x + 1")


def test_text_of_a_cell_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = (len(TEXT), None, TEXT.splitlines(True), "<cell of mine>")
    monkeypatch.setitem(linecache.cache, "<cell of mine>", entry)
    scope: dict[str, Any] = {}
    exec(compile(TEXT, "<cell of mine>", "exec"), scope)
    assert texts.known_text(scope["plain"].__code__) == TEXT
    # Another text of that name is not its.
    exec(compile("\n" * 5 + "def other(): pass", "<cell of mine>", "exec"), scope)
    assert texts.known_text(scope["other"].__code__) == ""
    exec(compile("\n" * 50 + "def other(): pass", "<cell of mine>", "exec"), scope)
    assert texts.known_text(scope["other"].__code__) == ""


def test_process_began_before_now_and_not_long_ago() -> None:
    import time

    if sys.platform == "linux":
        assert 0 < time.time() - texts._STARTED_NS / 1e9 < 24 * 3600


def test_file_that_is_gone(folder: Path) -> None:
    path = folder / "gone.py"
    path.write_text(TEXT)
    module = importlib.import_module("gone")
    path.unlink()
    linecache.checkcache()
    assert text_of(module.plain) == (3, "", source.UNREADABLE)


def test_zip_archive(folder: Path) -> None:
    archive = folder / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("in_zip.py", TEXT)
    sys.path.insert(0, str(archive))
    try:
        module = importlib.import_module("in_zip")
    finally:
        sys.path.remove(str(archive))
    assert text_of(module.plain) == (3, "def plain(x):\n    return x + 1", "")
    del sys.modules["in_zip"]


def test_run_as_a_script(folder: Path) -> None:
    path = folder / "script.py"
    path.write_text(TEXT)
    scope = runpy.run_path(str(path), run_name="__main__")
    assert text_of(scope["plain"]) == (3, "def plain(x):\n    return x + 1", "")


def test_relative_name_of_a_script(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "relative.py").write_text(TEXT)
    monkeypatch.chdir(folder)
    scope = runpy.run_path("relative.py")
    monkeypatch.chdir(os.sep)
    assert text_of(scope["plain"])[1] == "def plain(x):\n    return x + 1"


def execute(text: str, file: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(compile(text, file, "exec"), scope)
    return scope


def test_exec_with_linecache() -> None:
    linecache.cache["<made up>"] = (1, None, TEXT.splitlines(True), "<made up>")
    plain = execute(TEXT, "<made up>")["plain"]
    assert text_of(plain) == (3, "def plain(x):\n    return x + 1", "")
    assert is_users(plain.__code__)
    del linecache.cache["<made up>"]


def test_exec_without_text() -> None:
    plain = execute(TEXT, "<unknown>")["plain"]
    assert text_of(plain) == (3, "", source.NO_TEXT)
    assert not is_users(plain.__code__)


def test_text_of_another_exec_is_not_taken() -> None:
    linecache.cache["<shared>"] = (
        1,
        None,
        ["def other():\n", "    pass\n"],
        "<shared>",
    )
    plain = execute(TEXT, "<shared>")["plain"]
    assert text_of(plain) == (3, "", source.CHANGED)
    del linecache.cache["<shared>"]


def test_cell_that_begins_with_a_magic() -> None:
    text = "%%lprun -q\n" + TEXT.replace("import functools\n", "")
    linecache.cache["<cell>"] = (1, None, text.splitlines(True), "<cell>")
    body = "\n" + text.partition("\n")[2]
    plain = execute(body, "<cell>")["plain"]
    assert text_of(plain) == (3, "def plain(x):\n    return x + 1", "")
    del linecache.cache["<cell>"]


def test_cell_after_linecache_was_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    shell.run_cell("def in_cell():\n    return 1\n", store_history=True)
    in_cell = shell.user_ns["in_cell"]
    assert text_of(in_cell) == (1, "def in_cell():\n    return 1", "")
    linecache.clearcache()
    assert text_of(in_cell) == (1, "def in_cell():\n    return 1", "")
    assert is_users(in_cell.__code__)


def test_code_of_one_statement_of_a_cell_has_the_whole_cell() -> None:
    text = "x = 1\nfor i in range(3):\n    x += i\n"
    linecache.cache["<part>"] = (1, None, text.splitlines(True), "<part>")
    code = compile("\nfor i in range(3):\n    x += i\n", "<part>", "exec")
    found = source_of(code)
    assert (found.first, len(found.lines), found.note) == (1, 3, "")
    del linecache.cache["<part>"]


def test_code_rewritten_by_a_tool_is_shown_with_a_note() -> None:
    # pytest rewrites the asserts of this very function.
    assert text_of(test_code_rewritten_by_a_tool_is_shown_with_a_note)[2] == (
        source.UNSURE
    )


def names(what: Any) -> list[str]:
    return [function.__name__ for function in functions_in(what)]


def wrapping(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    wrapper.__name__ = "wrapper"
    return wrapper


def plain(x: int) -> int:
    return x


class Base:
    def inherited(self) -> None:
        pass


class Everything(Base):
    def method(self) -> None:
        pass

    @classmethod
    def of_class(cls) -> None:
        pass

    @staticmethod
    def static() -> None:
        pass

    @property
    def value(self) -> int:
        return 1

    @value.setter
    def value(self, value: int) -> None:
        pass

    @functools.cached_property
    def cached(self) -> int:
        return 1

    partial = functools.partialmethod(method)
    foreign = os.path.join

    class Inner:
        def innermost(self) -> None:
            pass

    def __call__(self) -> None:
        pass


@functools.singledispatch
def dispatches(x: object) -> None:
    pass


@dispatches.register
def for_int(x: int) -> None:
    pass


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (plain, ["plain"]),
        (wrapping(plain), ["plain", "wrapper"]),
        (wrapping(wrapping(plain)), ["plain", "wrapper", "wrapper"]),
        (functools.lru_cache(plain), ["plain"]),
        (functools.partial(functools.partial(plain), 1), ["plain"]),
        (Everything().method, ["method"]),
        (Everything.of_class, ["of_class"]),
        (vars(Everything)["of_class"], ["of_class"]),
        (vars(Everything)["static"], ["static"]),
        (Everything.value, ["value", "value"]),
        (vars(Everything)["cached"], ["cached"]),
        (vars(Everything)["partial"], ["method"]),
        (Everything(), ["__call__"]),
        (
            Everything,
            [
                *["method", "of_class", "static", "value", "value", "cached"],
                *["innermost", "__call__"],
            ],
        ),
        (dispatches, ["dispatches", "dispatches", "for_int"]),
        (len, []),
        (int, []),
        ("text", []),
        (None, []),
    ],
)
def test_functions(what: Any, found: list[str]) -> None:
    assert sorted(names(what)) == sorted(found)


def test_functions_of_a_module_are_those_defined_there() -> None:
    module = types.ModuleType("a_module")
    exec(TEXT, vars(module))
    vars(module)["imported"] = plain
    vars(module)["other"] = os
    assert names(module) == ["plain", "method", "<lambda>"]


def test_what_is_the_users() -> None:
    assert is_users(plain.__code__)
    assert not is_users(os.path.join.__code__)
    assert not is_users(pytest.raises.__code__)
    assert not is_users(source_of.__code__)
    assert isinstance(source_of(plain.__code__), Source)


def test_what_autoreload_has_compiled(folder: Path) -> None:
    """IPython's autoreload compiles the syntax of what was changed, in its file's name."""
    path = folder / "reloaded.py"
    path.write_text(TEXT)
    module = importlib.import_module("reloaded")
    assert text_of(module.plain)[0] == 3
    path.write_text(
        TEXT.replace("x + 1", "[x\n        for x in range(x)]  # more")
        .replace("range(3)", "range(4)")
        .replace("def plain", "# first\n\ndef plain")
    )
    definitions = {
        each.name: each
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.FunctionDef)
    }
    made: dict[str, Any] = {}
    plain = ast.unparse(definitions["plain"])
    exec(compile(ast.parse(plain), path, "exec", dont_inherit=True), made)
    method = textwrap.indent(ast.unparse(definitions["method"]), "    ")
    text = f"class __autoreload_class__:\n{method}"
    exec(compile(ast.parse(text), path, "exec", dont_inherit=True), made)
    module.plain.__code__ = made["plain"].__code__
    module.Thing.method.__code__ = made["__autoreload_class__"].method.__code__
    assert text_of(module.plain) == (
        1,
        "def plain(x):\n    return [x for x in range(x)]",
        source.RELOADED,
    )
    assert text_of(module.Thing.method) == (2, method, source.RELOADED)
