"""Disassemblies made by hand, ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable

from nbprobe.dis import Code, Disassembly, Heat, Instruction
from nbprobe.results import Result

from .gallery import HOSTILE


def instruction(offset: int, line: int, name: str, *rest: str) -> Instruction:
    """Make an instruction: argument, what it became, and '?' for one that could."""
    argument, specialised, *more = (*rest, "", "")[: max(2, len(rest))]
    return Instruction(
        offset=offset,
        line=line,
        name=name,
        argument=argument,
        specialised=specialised.strip("?"),
        adaptive=bool(specialised),
        target="L1" if more and more[0] else "",
        cache="0a00" if specialised else "",
    )


def code(**changes: object) -> Code:
    """Make the code of a loop that adds."""
    fields: dict[str, object] = {
        "name": "total",
        "file": "/home/ann/work/points.py",
        "first_line": 4,
        "level": 0,
        "instructions": (
            instruction(0, 4, "RESUME", "0"),
            instruction(2, 5, "LOAD_CONST", "0"),
            instruction(4, 5, "STORE_FAST", "s"),
            instruction(6, 6, "FOR_ITER", "to L2", "FOR_ITER_LIST", "L1"),
            instruction(10, 8, "LOAD_ATTR", "x", "LOAD_ATTR_INSTANCE_VALUE"),
            instruction(30, 8, "BINARY_OP", "+=", "?"),
            instruction(34, 0, "RETURN_VALUE"),
        ),
        "handlers": ("L1 to L2 -> L2 [0] lasti",),
        "source": {
            "4": "def total(points):",
            "5": "    s = 0",
            "6": "    for p in points:",
            "7": "        # their sum",
            "8": "        s += p.x",
        },
        "note": "",
        "heat": Heat(source="%prun", share=0.41, lines={"6": 0.12, "8": 0.88}),
    }
    return Code(**(fields | changes))  # type: ignore[arg-type]


def ordinary() -> Disassembly:
    """Make one with heat and a nested function."""
    inner = code(
        name="total.<locals>.inner", level=1, heat=None, source={}, note="no text"
    )
    return Disassembly(codes=(code(), inner), python="3.13.0")


def full() -> Disassembly:
    """Make one with offsets and caches, of a function that has not run."""
    cold = tuple(
        instruction(each.offset, each.line, each.name, each.argument, "?")
        for each in code().instructions
    )
    codes = (code(heat=None, instructions=cold),)
    return Disassembly(codes=codes, python="3.13.0", caches=True, offsets=True)


def hostile() -> Disassembly:
    """Make one in which every text is hostile."""
    names = tuple(HOSTILE.values())
    instructions = tuple(
        instruction(2 * index, index + 1, "LOAD_CONST", name)
        for index, name in enumerate(names)
    )
    codes = tuple(
        code(
            name=name,
            file=name,
            note=name,
            handlers=names,
            instructions=instructions,
            source={str(index + 1): each for index, each in enumerate(names)},
            heat=Heat(source=name, share=0.5, lines={"1": 1.0}),
        )
        for name in names
    )
    return Disassembly(codes=codes, python=names[0], offsets=True)


DIS: dict[str, Callable[[], Result]] = {
    "dis": ordinary,
    "dis_full": full,
    "dis_hostile": hostile,
    "dis_empty": lambda: Disassembly(codes=(), python="3.13.0"),
}
