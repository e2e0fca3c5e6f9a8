"""Bytecode beside its source, and what the interpreter made of it while it ran.

The functions of the standard library's `dis` are here too; only `disassemble` and
`Instruction` are our own.

Examples
--------
>>> from nbprobe.dis import disassemble
>>> def twice(x):
...     return x + x
>>> for _ in range(100):
...     _ = twice(2)
>>> [each.specialised for each in disassemble(twice).codes[0].instructions][-2]
'BINARY_OP_ADD_INT'
"""

from __future__ import annotations

import dis as _standard
import platform
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

from ..results import Result
from ..source import functions_in, source_of
from ..texts import lines_of
from .bytecode import read
from .result import Code, Disassembly, Heat, Instruction

__all__ = ["Code", "Disassembly", "Heat", "Instruction", "disassemble", "main"]


def __getattr__(name: str) -> Any:
    # What there is of them depends on the version of Python.
    if not name.startswith("_") and hasattr(_standard, name):
        return getattr(_standard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_standard.__all__})


def disassemble(
    what: Any, *, depth: int | None = None, profiles: Iterable[Result] = ()
) -> Disassembly:
    """Give the bytecode of a function as it is now, by line of its source.

    Parameters
    ----------
    what : object
        A function, a method, a class (all its functions), a code object, a generator or
        coroutine, or the text of some code.
    depth : int, optional
        How deep to go into functions, classes and comprehensions that are defined within;
        0 for not at all. Without it, all of them.
    profiles : iterable of Result
        Profiles to take heat from; the latest last.

    Returns
    -------
    Disassembly
        With what the interpreter specialised until now.

    Raises
    ------
    TypeError
        There is no bytecode, as of a function in C.

    See Also
    --------
    dis.dis
    """
    codes: list[Code] = []
    earlier = list(profiles)
    for code, namespace in _codes_of(what):
        for each, level in _nested(code, depth):
            source = source_of(each, namespace)
            lines = dict(enumerate(source.lines, source.first))
            if not lines and each.co_filename == _TEXT:
                lines = dict(enumerate(lines_of(str(what)), 1))
            codes.append(read(each, level, lines, source.note, _heat(each, earlier)))
    if not codes:
        raise TypeError(
            f"{type(what).__name__} object has no bytecode; a function in Python is needed"
        )
    return Disassembly(codes=tuple(codes), python=platform.python_version())


_TEXT = "<disassembled>"


def _codes_of(what: Any) -> Iterable[tuple[CodeType, dict[str, Any] | None]]:
    if isinstance(what, str):
        return [(compile(what, _TEXT, "exec", dont_inherit=True), None)]
    if isinstance(what, CodeType):
        return [(what, None)]
    for name in ("gi_code", "cr_code", "ag_code", "f_code"):
        code = getattr(type(what), name, None) and getattr(what, name)
        if isinstance(code, CodeType):
            return [(code, None)]
    functions: list[FunctionType] = list(functions_in(what))
    return [(each.__code__, each.__globals__) for each in functions]


def _nested(
    code: CodeType, depth: int | None, level: int = 0
) -> Iterable[tuple[CodeType, int]]:
    yield code, level
    if depth is not None and level >= depth:
        return
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant, depth, level + 1)


def _heat(code: CodeType, profiles: list[Result]) -> Heat | None:
    """Find the latest profile that saw the code."""
    for profile in reversed(profiles):
        heat_of: Callable[[str, int, str], tuple[float, dict[int, float]]] | None
        heat_of = getattr(profile, "heat_of", None)
        if heat_of is None:
            continue
        share, lines = heat_of(code.co_filename, code.co_firstlineno, code.co_qualname)
        if share > 0 or lines:
            shares = {str(line): part for line, part in lines.items()}
            return Heat(source=f"%{profile.kind}", share=share, lines=shares)
    return None


def main() -> int:
    """Run the command line of ``python -m dis``, and give its exit code."""
    from ..commands import dis as command

    return command.main(sys.argv[1:])
