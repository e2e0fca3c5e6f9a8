"""A magic's line and cell, turned into code and namespaces by IPython's rules.

Each piece of code keeps its place in the user's cell: tracebacks and syntax errors name
the cell as IPython does, and show the line as it was typed.
"""

from __future__ import annotations

import ast
import io
import linecache
import re
import sys
import tokenize
from collections.abc import Mapping
from itertools import pairwise
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from .code import Code, register_source
from .texts import lines_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Cell"]

_LABEL = re.compile(r"#\s*%%\s*(.*)")


class Cell:
    """The code of one use of a magic.

    Parameters
    ----------
    shell : InteractiveShell
        Whose transformers apply, and whose user namespace the code sees.
    magic : str
        The magic's name.
    line : str
        All that follows the magic on its line, options included.
    cell : str or None
        The lines below, in the cell form.
    local_ns : mapping or None
        The names of the caller, as IPython hands them to a magic.

    Attributes
    ----------
    filename : str
        Under which `linecache` knows the user's lines.
    globals : dict
        The user's namespace. Nothing is written to it.
    locals : dict or None
        A copy of the caller's local names, when the magic is used within a function.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        magic: str,
        line: str,
        cell: str | None = None,
        local_ns: Mapping[str, Any] | None = None,
    ) -> None:
        self._shell: Any = shell  # IPython types few of its methods
        self._cell = cell
        self.globals: dict[str, Any] = shell.user_ns
        is_local = local_ns is not None and local_ns is not shell.user_ns
        self.locals = dict(local_ns) if local_ns is not None and is_local else None
        if cell is None:
            self.filename, self._lineno = _place_of_line(shell, magic, line)
        else:
            self._body = _transform_below(shell, cell)
            text = f"%%{magic} {line}".rstrip() + "\n" + self._body
            number = _number(shell, _caller("run_cell_magic"))
            self.filename = shell.compile.cache(text, number)
            self._lineno = 1

    def on_line(self, text: str) -> Code:
        """Read a piece of code that stands on the magic's own line.

        Raises
        ------
        SyntaxError
            Pointing into the user's cell.
        """
        transformed = _transformed(self._shell, text)
        shown = linecache.getline(self.filename, self._lineno)
        column = shown.rfind(text)
        if column < 0 or transformed.rstrip("\n") != text.rstrip("\n"):
            # The columns of the parsed text are not those of the user's: mark it whole.
            return self._code(text, transformed, self._lineno, None)
        return self._code(text, transformed, self._lineno, len(shown[:column].encode()))

    def below(self) -> Code:
        """Read the lines below the magic's.

        Raises
        ------
        SyntaxError
            Pointing into the user's cell.
        """
        assert self._cell is not None
        return self._code(self._cell, self._body, 2, 0)

    def whole(self, text: str) -> Code:
        """Read what stands on the magic's line and, in the cell form, the lines below.

        Raises
        ------
        SyntaxError
            Pointing into the user's cell.
        """
        statement = self.on_line(text)
        if self._cell is None:
            return statement
        below = self.below()
        source = f"{statement.source}\n{below.source}".strip("\n")
        body = statement.tree.body + below.tree.body
        return Code(source, ast.Module(body, []), statement.filename)

    def candidates(self, setup: Code) -> tuple[Code, list[tuple[str, Code]]]:
        """Divide the lines below the magic's into pieces to compare.

        Parameters
        ----------
        setup : Code
            From the magic's own line.

        Returns
        -------
        setup : Code
            With what stands before the first comment line ``# %% label`` added to it.
        pieces : list of (label, Code)
            One for each such line, with what stands under it; one for each statement when
            there is no such line.
        """
        whole = self.below()
        labels = _labels(self._body)
        pieces: list[tuple[str, Code]] = []
        if not labels:
            text = "\n" + self._body
            for node in whole.tree.body:
                source = ast.get_source_segment(text, node) or ast.unparse(node)
                part = Code(source, ast.Module([node], []), self.filename)
                pieces.append((source.splitlines()[0], part))
            return setup, pieces
        # Lines of the body are counted from 1, those of the tree from the magic's line.
        bounds = [0, *(lineno for lineno, _ in labels), len(self._body) + 1]
        above, *parts = (
            self._between(whole, first, last) for first, last in pairwise(bounds)
        )
        for number, ((_, label), part) in enumerate(zip(labels, parts, strict=True), 1):
            pieces.append((label or f"part {number}", part))
        source = f"{setup.source}\n{above.source}".strip("\n")
        tree = ast.Module(setup.tree.body + above.tree.body, [])
        return Code(source, tree, self.filename), pieces

    def _between(self, whole: Code, first: int, last: int) -> Code:
        """Give the part of the body that stands between two of its lines."""
        source = "\n".join(lines_of(self._body)[first : last - 1]).strip("\n")
        nodes = [node for node in whole.tree.body if first < node.lineno - 1 < last]
        return Code(source, ast.Module(nodes, []), self.filename)

    def user_traceback(self, error: BaseException) -> TracebackType | None:
        """Give the part of an error's traceback that begins in the user's code.

        The whole of it when no frame is the user's, unless that is nobody's error: it does
        not compile, or Ctrl-C came while we waited for a coroutine.
        """
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self.filename:
                return traceback
            traceback = traceback.tb_next
        is_ours = not isinstance(error, SyntaxError | KeyboardInterrupt)
        return error.__traceback__ if is_ours else None

    def _code(self, source: str, text: str, lineno: int, column: int | None) -> Code:
        try:
            tree = self._shell.compile.ast_parse(text, self.filename)
        except SyntaxError as error:
            _move_error(error, self.filename, lineno, column)
            raise
        assert isinstance(tree, ast.Module)
        width = len(linecache.getline(self.filename, lineno).rstrip())
        _move_tree(tree, lineno, column, width)
        code = Code(source.strip("\n"), self._shell.transform_ast(tree), self.filename)
        try:
            # By itself, because return or break would be valid inside of our loops.
            code.check()
        except SyntaxError as error:
            _move_error(error, self.filename, 1, 0)
            raise
        return code


def _place_of_line(shell: InteractiveShell, magic: str, line: str) -> tuple[str, int]:
    """Find the file and the line where a line magic was typed."""
    caller = _caller("run_line_magic")
    if caller is not None:
        # IPython keeps the transformed cell; show the line as it was typed instead.
        lines = linecache.getlines(caller.f_code.co_filename)
        index = caller.f_lineno - 1
        call = f"get_ipython().run_line_magic({magic!r}, {line!r})"
        if index < len(lines) and call in lines[index]:
            lines = [*lines]
            lines[index] = lines[index].replace(call, f"%{magic} {line}")
            name = shell.compile.cache("".join(lines), _number(shell, caller))
            return name, caller.f_lineno
    return register_source(f"%{magic} {line}"), 1


def _caller(function: str) -> FrameType | None:
    """Find the frame that used the magic: the one that called this function of the shell."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == function:
            return frame.f_back
        frame = frame.f_back
    return None


def cell_number(shell: InteractiveShell) -> int:
    """Give the number of the cell that runs, in which a magic was used.

    It is not always `execution_count`: newer versions of IPython count on before the
    cell runs.
    """
    return _number(shell, _caller("run_line_magic") or _caller("run_cell_magic"))


def _number(shell: InteractiveShell, caller: FrameType | None) -> int:
    """Find the number of the cell that a frame is from: that of its ``In[...]``."""
    label = caller and shell.compile.format_code_name(caller.f_code.co_filename)
    digits = re.search(r"\d+", label[1]) if label else None
    return int(digits[0]) if digits else shell.execution_count


def _transform_below(shell: Any, cell: str) -> str:
    """Transform the lines of a cell, keeping the blank ones that IPython takes off its top."""
    top = cell[: len(cell) - len(cell.lstrip())]
    blank = top.count("\n")
    return "\n" * blank + _transformed(shell, cell)


def _transformed(shell: Any, text: str) -> str:
    """Transform a text as the shell does with a cell."""
    try:
        transformed: str = shell.transform_cell(text)
    except SyntaxError:
        # Of its indentation, for one. It is parsed next, which tells where it is wrong.
        return text
    return transformed


def _labels(text: str) -> list[tuple[int, str]]:
    """Find the comment lines that divide a cell: their line numbers and their labels."""
    return [
        (token.start[0], match[1].strip())
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
        and token.start[1] == 0
        and (match := _LABEL.fullmatch(token.string))
    ]


def _move_tree(tree: ast.Module, lineno: int, column: int | None, width: int) -> None:
    """Say that a tree stands in the user's cell, from this line and column (bytes) on."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.expr):
            continue
        if column is None:
            node.col_offset, node.end_col_offset = 0, width
        else:
            if node.lineno == 1:
                node.col_offset += column
            if node.end_lineno == 1 and node.end_col_offset is not None:
                node.end_col_offset += column
    ast.increment_lineno(tree, lineno - 1)


def _move_error(
    error: SyntaxError, filename: str, lineno: int, column: int | None
) -> None:
    """Make a syntax error point into the user's cell."""
    error.filename = filename
    if error.lineno is None:
        return
    if column is None:
        error.offset = error.end_offset = None
    elif error.lineno == 1 and error.offset is not None:
        error.offset += column
        if error.end_lineno == 1 and error.end_offset:
            error.end_offset += column
    error.lineno += lineno - 1
    if error.end_lineno is not None:
        error.end_lineno += lineno - 1
    error.text = linecache.getline(filename, error.lineno) or error.text
