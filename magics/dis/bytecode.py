"""Reads code objects as the interpreter has changed them, the same on every version."""

from __future__ import annotations

import dis
import opcode
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import CodeType

from .result import Code, Heat, Instruction

__all__ = ["read"]

# What the interpreter writes only to count how often an instruction ran (3.11).
_COUNTING = ("_ADAPTIVE", "_QUICK")
# And what stands for others while a tool listens to events.
_INSTRUMENTED = "INSTRUMENTED_"
# Those that are replaced whatever they meet: by a counter, or together with the next.
_BOOKKEEPING = frozenset(
    "RESUME EXTENDED_ARG JUMP_BACKWARD LOAD_CONST LOAD_FAST STORE_FAST".split()
)


def read(
    code: CodeType, level: int, lines: dict[int, str], note: str, heat: Heat | None
) -> Code:
    """Take down one code object; `lines` are those of its source, by number."""
    instructions = tuple(_instructions(code))
    numbers = {each.line for each in instructions} | {code.co_firstlineno}
    return Code(
        name=code.co_qualname,
        file=code.co_filename,
        first_line=code.co_firstlineno,
        level=level,
        instructions=instructions,
        handlers=tuple(_handlers(code)),
        source={
            str(number): text
            for number, text in lines.items()
            if min(numbers - {0}) <= number <= max(numbers)
        },
        note=note,
        heat=heat,
    )


def _instructions(code: CodeType) -> Iterator[Instruction]:
    plain = list(dis.get_instructions(code))
    changed = _specialised(code)
    lines = _line_numbers(code)
    content: bytes = getattr(code, "_co_code_adaptive")  # noqa: B009 - not in stubs
    ends = [each.offset for each in plain[1:]] + [len(content)]
    families = _families()
    for each, end in zip(plain, ends, strict=True):
        now = changed.get(each.offset, each.opname)
        if now.endswith(_COUNTING) or now.startswith(_INSTRUMENTED):
            now = each.opname
        adaptive = each.opname in families and each.opname not in _BOOKKEEPING
        yield Instruction(
            offset=each.offset,
            line=lines.get(each.offset) or 0,
            name=each.opname,
            argument=_argument(each),
            specialised=now if adaptive and now != each.opname else "",
            adaptive=adaptive,
            target=_label(each),
            cache=content[each.offset + 2 : end].hex(),
        )


def _specialised(code: CodeType) -> dict[int, str]:
    """Name what is executed at each offset; nothing where Python itself cannot tell."""
    try:
        return {
            each.offset: each.opname
            for each in dis.get_instructions(code, adaptive=True)
        }
    except IndexError:
        # dis of Python 3.12 misreads the arguments below instrumented instructions, which
        # a tool that monitors leaves in the code until that runs again.
        return {}


def _label(instruction: dis.Instruction) -> str:
    label = getattr(instruction, "label", None)  # 3.13
    if label is not None:
        return f"L{label}"
    return str(instruction.offset) if instruction.is_jump_target else ""


def _argument(instruction: dis.Instruction) -> str:
    if instruction.argrepr:
        if isinstance(instruction.argval, CodeType):
            return f"<code {instruction.argval.co_qualname}>"
        return instruction.argrepr
    return "" if instruction.arg is None else str(instruction.arg)


def _line_numbers(code: CodeType) -> dict[int, int | None]:
    return {
        offset: line
        for start, end, line in code.co_lines()
        for offset in range(start, end, 2)
    }


def _handlers(code: CodeType) -> Iterator[str]:
    # The public way to the exception table is the text that dis prints.
    text = dis.Bytecode(code).dis()
    _, found, table = text.partition("ExceptionTable:\n")
    if found:
        for line in table.splitlines():
            yield line.strip()


@cache
def _families() -> frozenset[str]:
    """Name the instructions that the interpreter can specialise."""
    found: dict[str, object] = getattr(opcode, "_specializations", {})
    if not found:
        try:
            found = import_module("_opcode_metadata")._specializations  # 3.13
        except (ImportError, AttributeError):
            # It is known of those then that are, and no hint is given at others.
            found = {}
    return frozenset(found)
