"""What a disassembly holds: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..results import Result

__all__ = ["Code", "Disassembly", "Heat", "Instruction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes
    ----------
    offset : int
        In bytes, from the beginning of the code.
    line : int
        Of the source; 0 for none.
    name : str
        As the compiler wrote it.
    argument : str
        What it refers to: a name, a constant, the place of a jump; may be empty.
    specialised : str
        What the interpreter has put in its place; empty when it is as it was.
    adaptive : bool
        Whether it is one of those that can be specialised.
    target : str
        The name by which jumps lead here: a label, or the offset; empty when none does.
    cache : str
        Its inline caches, in hexadecimal.
    """

    offset: int
    line: int
    name: str
    argument: str
    specialised: str
    adaptive: bool
    target: str
    cache: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Where an earlier profile found the time of a function.

    Attributes
    ----------
    source : str
        The magic that profiled it.
    share : float
        Of the whole profile's time, what the function took itself, 0 to 1.
    lines : dict of str to float
        Of the function's own time, the share of each line; empty when only the whole is
        known.
    """

    source: str
    share: float
    lines: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The bytecode of one function, class, comprehension or module.

    Attributes
    ----------
    name : str
        Qualified.
    file : str
        Full path, or the name of a cell.
    first_line : int
        Where it begins.
    level : int
        0 for what was asked for, 1 for what is defined in it, and so on.
    instructions : tuple of Instruction
        In order.
    handlers : tuple of str
        The exception table, one line each: ``'4 to 20 -> 40'``.
    source : dict of str to str
        The text of each of its lines, as far as it is known.
    note : str
        Why the text is missing or may be wrong.
    heat : Heat, optional
        From the latest profile of this function.
    """

    name: str
    file: str
    first_line: int
    level: int
    instructions: tuple[Instruction, ...]
    handlers: tuple[str, ...]
    source: dict[str, str]
    note: str
    heat: Heat | None

    @property
    def adaptive(self) -> int:
        """How many instructions can be specialised."""
        return sum(each.adaptive for each in self.instructions)

    @property
    def specialised(self) -> int:
        """How many of those are, now."""
        return sum(
            each.adaptive and bool(each.specialised) for each in self.instructions
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Disassembly(Result):
    """Bytecode by line of the source, with what was specialised.

    Attributes
    ----------
    codes : tuple of Code
        What was asked for, each followed by what is defined within it.
    python : str
        Version of the interpreter.
    caches, offsets : bool
        Whether inline caches and offsets are shown.

    See Also
    --------
    dis.dis, dis.get_instructions
    """

    kind: ClassVar[str] = "dis"

    codes: tuple[Code, ...]
    python: str
    caches: bool = False
    offsets: bool = False

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each instruction."""
        return [
            {
                "code": code.name,
                "offset": each.offset,
                "line": each.line,
                "name": each.name,
                "argument": each.argument,
                "specialised": each.specialised,
                "adaptive": each.adaptive,
                "heat": (code.heat.lines if code.heat else {}).get(str(each.line), 0.0),
            }
            for code in self.codes
            for each in code.instructions
        ]
