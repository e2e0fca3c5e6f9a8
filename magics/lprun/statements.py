"""Which lines belong to one statement."""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING

from .._core import logical_lines
from ..source import statements_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType


def lines_of_statements(code: CodeType, text: str) -> bytes | None:
    """Do what `statement_lines` does for all of a file, without parsing it.

    Parameters
    ----------
    code : CodeType
    text : str
        That of its file.

    Returns
    -------
    bytes or None
        See `logical_lines`. None when that cannot tell: the text is no plain Python, or
        the code is a lambda that begins within a statement, and has lines of its own.
    """
    statements = _logical_lines(text)
    if statements is None:
        return None
    first = memoryview(statements).cast("i")
    begins = code.co_firstlineno
    if begins > len(first) or (code.co_name[0] == "<" and first[begins - 1] != begins):
        return None
    return statements


@functools.lru_cache(maxsize=512)
def _logical_lines(text: str) -> bytes | None:
    if "\r" in text:
        return None
    try:
        return logical_lines(text)
    except ValueError:
        return None


#: What has statements inside: only its head is one statement.
_COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)


def statement_lines(tree: ast.AST) -> dict[int, int]:
    r"""First line of the statement of every line that continues one.

    A call, a display or a condition over several lines is executed once; the interpreter
    goes to and fro between its lines.

    Parameters
    ----------
    tree : ast.AST
        A module or any part of one; its line numbers are those of the result.

    Returns
    -------
    dict of int to int
        Only lines that differ from their statement's first are in it. Of a compound
        statement the head is one statement, up to the colon; so is every decorator,
        ``except`` and ``case``.

    Examples
    --------
    >>> statement_lines(ast.parse("f(\n    1,\n)\nif (a\n    and b):\n    c"))
    {2: 1, 3: 1, 5: 4}
    """
    first: dict[int, int] = {}
    for start, end in _spans(tree):
        for line in range(start + 1, end + 1):
            first.setdefault(line, start)
    return first


def _spans(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """First and last line of every statement or head."""
    for node in statements_in(tree):
        if isinstance(node, _COMPOUND):
            yield node.lineno, _last_line(node.lineno, _head(node))
            for decorator in getattr(node, "decorator_list", ()):
                yield decorator.lineno, _last_line(decorator.lineno, [decorator])
        elif isinstance(node, ast.stmt | ast.expr):
            # An expression only as the whole of it: that of a lambda.
            yield node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.ExceptHandler):
            yield node.lineno, _last_line(node.lineno, [node.type] if node.type else [])
        elif isinstance(node, ast.match_case):
            guard = [node.guard] if node.guard else []
            yield (
                node.pattern.lineno,
                _last_line(node.pattern.lineno, [node.pattern, *guard]),
            )


def _head(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a compound statement before its colon."""
    decorators = getattr(node, "decorator_list", [])
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case))
        if not inside and child not in decorators:
            yield child


def _last_line(start: int, nodes: Iterable[ast.AST]) -> int:
    lines = [
        getattr(part, "end_lineno", None) or 0
        for node in nodes
        for part in ast.walk(node)
    ]
    return max(lines, default=start) or start
