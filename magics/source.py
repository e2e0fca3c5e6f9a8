"""The text of functions, wherever they were defined, as it was when they were compiled.

A function knows its file and line, but not its text: the file may have changed since, lie
in a zip archive, be a cell, or never have existed. So every text that may be the right one
is tried, and compiled: the right one gives the function's own code again.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import os
import site
import sys
import sysconfig
import textwrap
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .texts import is_kept, is_made_up, lines_of, texts_of

__all__ = [
    "Source",
    "functions_in",
    "is_users",
    "is_users_file",
    "source_at",
    "source_of",
]

CHANGED = "the file was changed after the function was compiled"
UNSURE = (
    "this text does not compile to the code that ran: the file was changed after the"
    " import, or a tool rewrote the code"
)
RELOADED = "as autoreload compiled it: without comments, lines counted from its first"
NO_TEXT = "defined by exec() or eval(), which keep no text"
UNREADABLE = "the file is not there any more, or cannot be read"


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one code object.

    Attributes
    ----------
    file : str
        As the code names it.
    first : int
        Number of the first line, decorators included.
    lines : tuple of str
        The text without line ends; empty when it is not known.
    note : str
        Why the text is missing or may be wrong; empty when neither is the case.
    tree : ast.AST or None
        The text parsed; its lines have the numbers that the code has.
    """

    file: str
    first: int
    lines: tuple[str, ...]
    note: str
    tree: ast.AST | None


def source_of(
    code: CodeType, namespace: Mapping[str, Any] | None = None, text: str = ""
) -> Source:
    """Find the text of a code object.

    Parameters
    ----------
    code : CodeType
        Of a function, a class, a comprehension, a module or a cell.
    namespace : mapping, optional
        The globals of its function: they name the loader that has the text of a module
        that is in no file, such as one in a zip archive.
    text : str, optional
        What `known_text` gave: it is tried first, and may be gone since.

    Returns
    -------
    Source
        Always; where no text can be had, its `note` says why.
    """
    best, source = _NOTHING, None
    texts = 0
    others = texts_of(code.co_filename, namespace)
    for each in (text, *others) if text else others:
        texts += 1
        quality, found = _File.read(code.co_filename, each).find(code)
        if quality == _EXACT:
            return found
        if quality > best:
            best, source = quality, found
    if source is not None:
        return source
    note = NO_TEXT if is_made_up(code.co_filename) else UNREADABLE
    note = CHANGED if texts else note
    return Source(code.co_filename, code.co_firstlineno, (), note, None)


def source_at(file: str, first: int, name: str) -> Source:
    """Find the text of a function of which only the place is known, as in a saved profile.

    Parameters
    ----------
    file : str
        Path, or the name of a cell of this session.
    first : int
        Its first line.
    name : str
        Its name; that of a class or outer function may stand before it.
    """
    for text in texts_of(file, None):
        source = _File.read(file, text).at(first, name.rpartition(".")[2])
        if source.lines:
            return source
    note = NO_TEXT if is_made_up(file) else UNREADABLE
    return Source(file, first, (), note, None)


def functions_in(what: Any) -> Iterator[FunctionType]:
    """Give the Python functions behind an object, each once.

    Parameters
    ----------
    what : object
        A function, also a decorated one: what it wraps comes first; a method, a class or
        static method, a property, a partial, an object that can be called; a class with
        all that is defined in it; a module with all that is defined in it. Anything else
        gives nothing.
    """
    yield from _functions(what, set(), None)


def is_users(code: CodeType) -> bool:
    """Whether code is of the user: from a cell, or a file of no installed package."""
    return is_users_file(code.co_filename)


def is_users_file(file: str) -> bool:
    """Whether code that names this file is of the user."""
    if file.startswith("<frozen "):
        return False
    if is_made_up(file):
        return bool(next(texts_of(file, None), None))
    return not os.path.abspath(file).startswith(_installed())


# ---- one text ----

_NOTHING, _ALIKE, _MOVED, _EXACT = range(4)

# What autoreload writes round a method.
_RELOADED_CLASS = "__autoreload_class__"

_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _File:
    """One text of a file, parsed and compiled when it is first asked for."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = lines_of(text)
        self._text = text

    @classmethod
    @functools.lru_cache(maxsize=16)
    def read(cls, file: str, text: str) -> _File:
        return cls(file, text)

    def find(self, code: CodeType) -> tuple[int, Source]:
        """Find the text of a code object; how sure, and the text."""
        if code in self._codes:
            return _EXACT, self._source(code, code.co_firstlineno, "")
        if not _is_module(code):
            for other in self._codes.values():
                if _means_the_same(code, other):
                    return _MOVED, self._source(code, other.co_firstlineno, "")
            if (reloaded := self._reloaded(code)) is not None:
                return _MOVED, reloaded
        if self._is_alike(code):
            note = "" if is_kept(self._file) else UNSURE
            return _ALIKE, self._source(code, code.co_firstlineno, note)
        return _NOTHING, Source(self._file, code.co_firstlineno, (), CHANGED, None)

    def at(self, first: int, name: str) -> Source:
        """Give what begins at a line: of that name, or else the block that stands there."""
        if name == "<module>":
            return Source(self._file, 1, tuple(self._lines), "", self._tree)
        node = self._node(first, name)
        if node is not None:
            block = self._lines[first - 1 : _end(node)]
            return Source(self._file, first, tuple(block), "", node)
        lines = [line + "\n" for line in self._lines[first - 1 :]]
        try:
            block = [line.rstrip("\n") for line in inspect.getblock(lines)]
        except (IndexError, SyntaxError):
            block = []
        return Source(self._file, first, tuple(block), "", None)

    @functools.cached_property
    def _tree(self) -> ast.Module | None:
        # The magics of a cell are no Python, the rest of it is.
        lines = (
            "" if line.startswith(("%%", "get_ipython().run_cell_magic(")) else line
            for line in self._lines
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse("\n".join(lines), self._file)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    @functools.cached_property
    def _codes(self) -> dict[CodeType, CodeType]:
        if self._tree is None:
            return {}
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                whole = compile(
                    self._tree, self._file, "exec", flags, dont_inherit=True
                )
        except (SyntaxError, ValueError, RecursionError):
            return {}
        found: dict[CodeType, CodeType] = {}
        ahead = [whole]
        while ahead:
            code = ahead.pop()
            found.setdefault(code, code)
            ahead += [each for each in code.co_consts if isinstance(each, CodeType)]
        return found

    def _reloaded(self, code: CodeType) -> Source | None:
        """Find a function of which IPython's autoreload has compiled the syntax alone."""
        names = code.co_qualname.split(".")
        is_method = names[0] == _RELOADED_CLASS
        name = names[1] if is_method and len(names) > 1 else names[0]
        for (_, other), node in self._definitions.items():
            if other != name or isinstance(node, ast.ClassDef):
                continue
            text = ast.unparse(node)
            if is_method:
                text = f"class {_RELOADED_CLASS}:\n{textwrap.indent(text, '    ')}"
            file = _File.read(self._file, text)
            if code in file._codes:
                return file._source(code, code.co_firstlineno, RELOADED)
        return None

    def _is_alike(self, code: CodeType) -> bool:
        """Whether something of this name stands there, with all lines of the code."""
        last = max((line for _, _, line in code.co_lines() if line), default=0)
        if _is_module(code):
            return last <= len(self._lines)
        node = self._node(code.co_firstlineno, code.co_name)
        return node is not None and last <= _end(node)

    def _node(self, line: int, name: str) -> ast.AST | None:
        """Give what has a name, and begins on a line."""
        nodes = self._expressions if name.startswith("<") else self._definitions
        return nodes.get((line, name))

    @functools.cached_property
    def _definitions(self) -> dict[tuple[int, str], ast.AST]:
        nodes: dict[tuple[int, str], ast.AST] = {}
        for node in statements_in(self._tree):
            if isinstance(node, _Definition):
                decorators = [each.lineno for each in node.decorator_list]
                first = min([node.lineno, *decorators])
                nodes.setdefault((first, node.name), node)
        return nodes

    @functools.cached_property
    def _expressions(self) -> dict[tuple[int, str], ast.AST]:
        nodes: dict[tuple[int, str], ast.AST] = {}
        for node in ast.walk(self._tree) if self._tree is not None else ():
            if name := _EXPRESSIONS.get(type(node)):
                nodes.setdefault((node.lineno, name), node)  # type: ignore[attr-defined]
        return nodes

    def _source(self, code: CodeType, first: int, note: str) -> Source:
        """Cut the code's part out; it begins at line `first` of this text."""
        start = code.co_firstlineno
        node: ast.AST | None = self._tree
        if _is_module(code):
            lines = tuple(self._lines)
            return Source(self._file, 1, lines, note, node)
        node = self._node(first, code.co_name)
        if node is None:
            last = max((line for _, _, line in code.co_lines() if line), default=start)
            block = self._lines[first - 1 : first + last - start]
        else:
            block = self._lines[first - 1 : _end(node)]
        if node is not None and first != start:
            node = ast.increment_lineno(copy.deepcopy(node), start - first)
        return Source(self._file, start, tuple(block), note, node)


def statements_in(tree: ast.AST | None) -> Iterator[ast.AST]:
    """Give a node and every statement in it, ``except`` and ``case`` too.

    Expressions, which are most of a tree, are not entered.
    """
    ahead: list[Any] = [tree] if tree is not None else []
    while ahead:
        node = ahead.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(node, name, None)
            # Of a lambda or a conditional expression it is an expression.
            if isinstance(inside, list):
                ahead += inside


_EXPRESSIONS: dict[type[ast.AST], str] = {
    ast.Lambda: "<lambda>",
    ast.GeneratorExp: "<genexpr>",
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
}


def _end(node: ast.AST) -> int:
    return getattr(node, "end_lineno", None) or 0


def _is_module(code: CodeType) -> bool:
    return code.co_name.startswith(("<module>", "<cell line"))


def _means_the_same(code: CodeType, other: CodeType) -> bool:
    """Whether two codes are equal but for the line where they begin."""
    return (
        code.co_qualname == other.co_qualname
        and code.co_code == other.co_code
        and code.co_names == other.co_names
        and code.co_varnames == other.co_varnames
        and code.co_linetable == other.co_linetable
        and len(code.co_consts) == len(other.co_consts)
        and all(map(_is_same_constant, code.co_consts, other.co_consts))
    )


def _is_same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _means_the_same(one, other)
    return type(one) is type(other) and one == other


# ---- functions ----

_HOLDERS: dict[type, tuple[str, ...]] = {
    types.MethodType: ("__func__",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.partial: ("func",),
    functools.partialmethod: ("func",),
    functools.cached_property: ("func",),
    functools.singledispatchmethod: ("dispatcher",),
}


def _functions(what: Any, seen: set[int], within: str | None) -> Iterator[FunctionType]:
    """Give the functions of `what`; of a class or module only those of module `within`."""
    if what is None or id(what) in seen:
        return
    seen.add(id(what))
    for kind, names in _HOLDERS.items():
        if isinstance(what, kind):
            for name in names:
                yield from _functions(getattr(what, name, None), seen, within)
            return
    if isinstance(what, FunctionType):
        yield from _of_function(what, seen, within)
    elif isinstance(what, type | ModuleType):
        yield from _of_namespace(what, seen, within)
    else:
        yield from _of_object(what, seen, within)


def _of_function(
    function: FunctionType, seen: set[int], within: str | None
) -> Iterator[FunctionType]:
    attributes = vars(function)
    yield from _functions(attributes.get("__wrapped__"), seen, within)
    registry = attributes.get("registry")  # of functools.singledispatch
    if isinstance(registry, Mapping):
        for each in registry.values():
            yield from _functions(each, seen, within)
    if within is None or function.__module__ == within:
        yield function


def _of_namespace(
    namespace: type | ModuleType, seen: set[int], within: str | None
) -> Iterator[FunctionType]:
    own = namespace.__name__ if isinstance(namespace, ModuleType) else None
    module = own or getattr(namespace, "__module__", None)
    if within is not None and module != within:
        return
    for member in list(vars(namespace).values()):
        if not isinstance(member, ModuleType):
            yield from _functions(member, seen, module)


def _of_object(what: Any, seen: set[int], within: str | None) -> Iterator[FunctionType]:
    # What a C wrapper (functools.lru_cache) or a compiler (numba) was made of.
    for name in ("__wrapped__", "py_func", "pyfunc"):
        inner = inspect.getattr_static(what, name, None)
        if inner is not None:
            yield from _functions(getattr(what, name, None), seen, within)
            return
    if within is None:
        call = inspect.getattr_static(type(what), "__call__", None)
        if isinstance(call, FunctionType):
            yield from _functions(call, seen, None)


@functools.cache
def _installed() -> tuple[str, ...]:
    """Folders of the standard library, of installed packages, and our own."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    paths |= {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    folders = ("site-packages", "dist-packages")
    paths |= {path for path in sys.path if path.endswith(folders)}
    paths.add(os.path.dirname(os.path.abspath(__file__)))
    return tuple(os.path.abspath(path) + os.sep for path in paths if path)
