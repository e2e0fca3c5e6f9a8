"""User code, parsed once: what cells, commands and libraries hand to the engines.

The engines measure functions, so the code is put into one, as the built-in ``%timeit``
does: its names are fast locals, and nothing that it assigns is left behind.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import itertools
import linecache
import opcode
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from .texts import lines_of

_NOT_WORK = frozenset(opcode.opmap[name] for name in ("NOP", "CACHE", "EXTENDED_ARG"))


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of user code.

    Attributes
    ----------
    source : str
        The code as the user wrote it, for display.
    tree : ast.Module
        The code after every transform; its line numbers are lines of `filename`.
    filename : str
        The name under which `linecache` knows the lines, so that a traceback shows them.
    """

    source: str
    tree: ast.Module
    filename: str

    @classmethod
    def parse(cls, source: str, filename: str | None = None) -> Code:
        """Parse plain Python.

        Parameters
        ----------
        source : str
            One or more statements.
        filename : str, optional
            The file that the lines are from; by default one that only `linecache` knows.

        Raises
        ------
        SyntaxError
            As `compile` raises it, naming the line of `source`.
        """
        if filename is None:
            filename = register_source(source)
        return cls(source, ast.parse(source, filename), filename)

    def check(self) -> CodeType:
        """Compile the code by itself, as a module that may await.

        Raises
        ------
        SyntaxError
            For code that would be valid only inside of the measured function, such as
            ``return`` or ``break``.
        """
        code: CodeType = compile(
            self.tree,
            self.filename,
            "exec",
            ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        return code

    @property
    def is_async(self) -> bool:
        """Whether the code awaits outside of any function that it defines."""
        return bool(self.check().co_flags & inspect.CO_COROUTINE)


def register_source(source: str) -> str:
    """Let tracebacks show the lines of `source`; return the file name that stands for it.

    The name is a digest, so that measuring the same statement again and again keeps one
    copy of it in `linecache`.
    """
    digest = hashlib.sha1(source.encode("utf-8", "replace"), usedforsecurity=False)
    filename = f"<nbprobe {digest.hexdigest()[:12]}>"
    lines = [f"{line}\n" for line in lines_of(source)]
    # With None for the modification time, linecache.checkcache() keeps the entry.
    linecache.cache[filename] = (len(source), None, lines, filename)
    return filename


def together(*sources: str) -> list[Code]:
    """Parse pieces that will share one function, and so one file name.

    Raises
    ------
    SyntaxError
        As `compile` raises it, naming the line of the piece that is wrong.
    """
    lines = [lines_of(source) or [""] for source in sources]
    filename = register_source("\n".join(itertools.chain(*lines)))
    codes = []
    before = 0
    for source, own_lines in zip(sources, lines, strict=True):
        tree = ast.parse(source, filename)
        ast.increment_lineno(tree, before)
        codes.append(Code(source, tree, filename))
        before += len(own_lines)
    return codes


# The loop functions are generators: each resumption runs every loop once, so that whoever
# drives them decides how long to go on and which of several to resume next.
_LOOPS = """
def inner():
    while True:
        yield
"""
_ONE_LOOP = """
for _nbprobe_i in {loop}:
    pass
"""
_ONE_EXECUTION = """
~_nbprobe_loop
pass
~_nbprobe_loop
~_nbprobe_blank
~_nbprobe_blank
"""


def loop_function(
    setup: Code,
    body: Code,
    *,
    copies: Sequence[int],
    namespace: dict[str, Any],
    parameters: Sequence[str] = (),
) -> FunctionType:
    """Compile a generator function that runs the setup once, then loops over the body.

    Parameters
    ----------
    setup, body : Code
        From one file; see `together`.
    copies : sequence of int
        One loop for each number, with that many copies of the body in it. A resumption
        of the generator runs all the loops, in this order.
    namespace : dict
        The globals of the function; nothing is written to it.
    parameters : sequence of str
        Names that the function takes after its loops, as local variables.

    Returns
    -------
    function
        ``inner(*loops, *values)``: takes one iterator for each number of `copies`, then
        the values of `parameters`. An asynchronous generator function when the code awaits.
    """
    loops = [f"_nbprobe_loop{index}" for index in range(len(copies))]
    blocks: list[ast.stmt] = []
    for name, count in zip(loops, copies, strict=True):
        (loop,) = _template(_ONE_LOOP.format(loop=name), body)
        assert isinstance(loop, ast.For)
        loop.body = _repeated(body.tree.body or loop.body, count)
        blocks.append(loop)
    return _function(setup, (setup, body), blocks, loops, namespace, parameters)


def _repeated(statements: list[ast.stmt], count: int) -> list[ast.stmt]:
    """Put copies one after the other, so that they compile as each would by itself.

    The compiler merges a ``pass`` into its neighbour on the same line, which no statement
    of a program shares with it: give every other one the next line.
    """
    if not all(isinstance(statement, ast.Pass) for statement in statements):
        return statements * count
    first = statements[0].lineno
    lines = [{"lineno": line, "end_lineno": line} for line in (first, first + 1)]
    place = {"col_offset": 0, "end_col_offset": 0}
    return [ast.Pass(**lines[index % 2], **place) for index in range(count)]


def each_function(
    setup: Code,
    each: Code,
    body: Code,
    *,
    namespace: dict[str, Any],
    parameters: Sequence[str] = (),
) -> FunctionType:
    """Compile a generator function that times one execution of the body a resumption.

    Before it, `each` runs outside of the clock; after it, the clock is started and stopped
    over nothing, to know what that alone takes.

    Returns
    -------
    function
        ``inner(loop, blank, *values)``: two `Loop` objects, marked round the body and
        round nothing, then the values of `parameters`.
    """
    start, _, stop, *blank = _template(_ONE_EXECUTION, body)
    block = [*each.tree.body, start, *body.tree.body, stop, *blank]
    loops = ["_nbprobe_loop", "_nbprobe_blank"]
    return _function(setup, (setup, each, body), block, loops, namespace, parameters)


def _template(text: str, body: Code) -> list[ast.stmt]:
    """Parse our own lines and say that they stand where the body begins."""
    tree = ast.parse(text)
    first = body.tree.body[0].lineno if body.tree.body else 1
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = first  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return tree.body


def _function(
    setup: Code,
    pieces: Sequence[Code],
    block: list[ast.stmt],
    loops: Sequence[str],
    namespace: dict[str, Any],
    parameters: Sequence[str],
) -> FunctionType:
    (function,) = _template(_LOOPS, pieces[-1])
    assert isinstance(function, ast.FunctionDef)
    function.lineno = 1
    arguments = [ast.arg(name) for name in (*loops, *parameters)]
    function.args.args = [
        ast.copy_location(argument, function) for argument in arguments
    ]
    (forever,) = function.body
    assert isinstance(forever, ast.While)
    forever.body = block + forever.body
    function.body = [*setup.tree.body, forever]
    node: ast.stmt = function
    if any(piece.is_async for piece in pieces):
        node = ast.AsyncFunctionDef(**dict(ast.iter_fields(function)))
        ast.copy_location(node, function)
    code = compile(
        ast.Module([node], []), pieces[-1].filename, "exec", dont_inherit=True
    )
    (inner,) = (value for value in code.co_consts if isinstance(value, CodeType))
    # IPython shows the line of an error in a cell only for a module, from line 1 on.
    inner = inner.replace(co_name="<module>", co_qualname="<module>")
    return FunctionType(inner, namespace)


def free_names(codes: Sequence[Code], names: Sequence[str]) -> list[str]:
    """Those of `names` that can be parameters: the code does not declare them global."""
    declared = {
        name
        for code in codes
        for node in ast.walk(code.tree)
        if isinstance(node, ast.Global)
        for name in node.names
    }
    return [name for name in names if name.isidentifier() and name not in declared]


def does_nothing(body: Code) -> bool:
    """Whether the compiler leaves nothing of the body, though it says more than ``pass``."""
    if all(isinstance(statement, ast.Pass) for statement in body.tree.body):
        return False
    nothing = Code.parse("pass")
    return _operations(body) == _operations(nothing)


def _operations(body: Code) -> list[int]:
    if body.is_async:
        return []
    function = loop_function(Code.parse(""), body, copies=[1], namespace={})
    operations = function.__code__.co_code[::2]
    return [operation for operation in operations if operation not in _NOT_WORK]
