"""How a disassembly is shown: source on the left, bytecode on the right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..places import place_of
from ..views import units
from ..views.names import clean, one_line, pad, shorten
from .result import Code, Disassembly, Instruction

__all__ = ["headline", "html", "text"]

# What an output holds: below 200 kB, the rest is in the result.
_INSTRUCTIONS = 600
_WIDTH = 46
_NAME = 24
_ARGUMENT = 40


def headline(result: Disassembly) -> str:
    """Give a disassembly in one line."""
    count = sum(len(code.instructions) for code in result.codes)
    first = one_line(result.codes[0].name) if result.codes else "nothing"
    return f"{first}: {units.plural(count, 'instruction')}, {_state(result.codes)}"


def _state(codes: tuple[Code, ...]) -> str:
    adaptive = sum(code.adaptive for code in codes)
    specialised = sum(code.specialised for code in codes)
    if not adaptive:
        return "none that can be specialised"
    return f"{specialised} of {adaptive} specialised"


def _hint(result: Disassembly) -> str:
    adaptive = sum(code.adaptive for code in result.codes)
    if result.codes and result.codes[0].name == "<module>":
        return ""
    if adaptive and not any(code.specialised for code in result.codes):
        return (
            "nothing is specialised: it has not run often enough yet; %dis --warm STATEMENT"
            " runs a statement first"
        )
    return ""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the source, or a part of it, and what it compiled to."""

    number: str
    source: str
    heat: float
    instructions: tuple[Instruction, ...]


def _lines(code: Code, instructions: tuple[Instruction, ...]) -> Iterator[_Line]:
    """Group the instructions by line; lines without any come before the next."""
    shares = code.heat.lines if code.heat else {}
    shown: set[int] = set()
    known = sorted(int(number) for number in code.source)
    for number, group in groupby(instructions, key=lambda each: each.line):
        for above in known:
            if number and above < number and above not in shown:
                shown.add(above)
                if above > min(shown):
                    yield _Line(str(above), _text(code, above), 0.0, ())
        again = number in shown
        shown.add(number)
        yield _Line(
            str(number) if number else "",
            "" if again else _text(code, number),
            0.0 if again else shares.get(str(number), 0.0),
            tuple(group),
        )


def _text(code: Code, number: int) -> str:
    return clean(code.source.get(str(number), "")).rstrip()


def _cut(result: Disassembly) -> Iterator[tuple[Code, tuple[Instruction, ...], int]]:
    """Give each code with what is shown of it, and how many are not."""
    left = _INSTRUCTIONS
    for code in result.codes:
        shown = code.instructions[:left]
        left -= len(shown)
        yield code, shown, len(code.instructions) - len(shown)


def text(result: Disassembly) -> str:
    """Give the source and the bytecode side by side."""
    parts = []
    for code, shown, more in _cut(result):
        parts.append("\n".join(_code_as_text(result, code, shown, more)))
    if hint := _hint(result):
        parts.append(hint)
    return "\n\n".join(parts)


def _code_as_text(
    result: Disassembly, code: Code, shown: tuple[Instruction, ...], more: int
) -> Iterator[str]:
    yield _title(code, f"{one_line(code.file, 80)}:{code.first_line}")
    if code.note:
        yield one_line(code.note, 120)
    for line in _lines(code, shown):
        heat = units.percent(line.heat) if line.heat else ""
        left = f"{line.number:>5} {heat:>6} "
        source = pad(shorten(line.source.replace("\t", "    "), _WIDTH), _WIDTH)
        rows = [_instruction(result, each) for each in line.instructions] or [""]
        yield f"{left} {source}  {rows[0]}".rstrip()
        for row in rows[1:]:
            yield f"{'':{len(left) + _WIDTH + 1}}  {row}".rstrip()
    if more:
        yield f"and {units.count(more)} more instructions"
    for handler in code.handlers if not more else ():
        yield f"        on an exception: {one_line(handler)}"


def _title(code: Code, where: str) -> str:
    title = (
        f"{'  ' * code.level}{one_line(code.name)}"
        f"  ({one_line(where, 100)}),"
        f" {units.plural(len(code.instructions), 'instruction')},"
        f" {_state((code,))}"
    )
    if code.heat is not None and code.heat.share > 0:
        title += f", {units.percent(code.heat.share)} of {one_line(code.heat.source)}"
    return title


def _instruction(result: Disassembly, each: Instruction) -> str:
    offset = f"{each.offset:>5} " if result.offsets else ""
    target = f"{each.target + ':' if each.target else '':<4}"
    name = one_line(each.name)
    line = f"{offset}{target} {name:<{_NAME}} {one_line(each.argument, _ARGUMENT)}"
    line = line.rstrip()
    if each.specialised:
        line += f"  -> {one_line(each.specialised)}"
    if result.caches and each.cache:
        line += f"  [{one_line(each.cache)}]"
    return line


@dataclass(frozen=True, slots=True)
class _Shown:
    code: Code
    title: str
    heat: str
    lines: list[_Line]
    more: int
    width: int  # letters of the longest name


def _names(each: Instruction) -> tuple[str, str]:
    """Give an instruction's name, and what its specialised form adds to it."""
    name, form = one_line(each.name), one_line(each.specialised)
    if form.startswith(name):
        return name, form.removeprefix(name)
    return name, f" → {form}" if form else ""


def html(result: Disassembly) -> str:
    """Give a table for each function: lines on the left, what they became on the right."""
    from ..views.html import render

    codes = []
    for code, shown, more in _cut(result):
        heat = ""
        if code.heat is not None and code.heat.share > 0:
            heat = f"{units.percent(code.heat.share)} of {code.heat.source}"
        lines = list(_lines(code, shown))
        width = max((len("".join(_names(each))) for each in shown), default=0)
        title = _title(code, place_of(code.file, code.first_line)).strip()
        codes.append(_Shown(code, title, heat, lines, more, width))
    return render(
        "dis/result.html.j2",
        result=result,
        codes=codes,
        hint=_hint(result),
        percent=units.percent,
        one_line=one_line,
        names=_names,
        has_heat=any(code.heat and code.heat.lines for code in result.codes),
    )
