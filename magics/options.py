"""The options of magics and commands, declared once.

From one table come the parser of a magic's line, the parser of a command's arguments, the
help in the docstring and what Tab completes, so that they cannot disagree. IPython is not
needed here.
"""

from __future__ import annotations

import difflib
import getopt
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Option", "OptionError", "OptionTable", "Parsed", "new_file", "new_path"]

_QUOTES = "'\""


class OptionError(ValueError):
    """The options are wrong; the message is one line that says what to write instead."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes
    ----------
    name : str
        The attribute of `Parsed.values` that it fills.
    flags : tuple of str
        ``'-n'``, ``'--number'``: one dash and one letter, or two dashes and a word.
    help : str
        What it does, with unit and default.
    metavar : str
        What the help calls its value; empty for a switch, which takes none.
    convert : callable
        Makes the value from its text; a `ValueError` says what was expected, as in
        ``"a whole number from 1"``.
    default : object
        The value when the option is not given.
    choices : tuple of str
        The only texts allowed, when not empty; Tab completes them.
    repeatable : bool
        Whether every occurrence counts: the value is a tuple of all of them. Otherwise
        the last one wins, as it does for IPython and getopt.
    implied : str
        The text of the value when a long option is given without one, not empty where
        that is allowed: the next word is the value then only if it is a number, and
        something follows it.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    convert: Callable[[str], Any] = str
    default: Any = None
    choices: tuple[str, ...] = ()
    repeatable: bool = False
    implied: str = ""

    @property
    def usage(self) -> str:
        """The option as the help writes it."""
        value = "{" + ",".join(self.choices) + "}" if self.choices else self.metavar
        if self.implied:
            value = f"[{value}]"
        return ", ".join(self.flags) + (f" {value}" if value else "")

    def read(self, flag: str, text: str) -> Any:
        """Convert the text of a value.

        Raises
        ------
        OptionError
            Naming the flag, what it takes and what it was given.
        """
        if self.choices and text not in self.choices:
            close = difflib.get_close_matches(text, self.choices, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise OptionError(
                f"{flag} takes one of {', '.join(self.choices)}, not {text!r}{hint}"
            )
        try:
            return self.convert(text)
        except ValueError as error:
            hint = ""
            if text.startswith("="):
                hint = f"; write {flag} {text[1:]}"
            raise OptionError(f"{flag} takes {error}, not {text!r}{hint}") from None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a line or a list of arguments says.

    Attributes
    ----------
    values : dict of str to object
        By the name of the option, defaults included.
    given : frozenset of str
        The names of the options that were written.
    rest : str
        What follows the options, byte for byte (of `OptionTable.parse_line`).
    arguments : tuple of str
        What follows the options (of `OptionTable.parse_arguments`).
    written : tuple of (str, str, str or None)
        What was written, in its order: the option's name, the flag, and the text of the
        value, None for a switch (of `OptionTable.parse_line`).
    """

    values: dict[str, Any]
    given: frozenset[str]
    rest: str = ""
    arguments: tuple[str, ...] = ()
    written: tuple[tuple[str, str, str | None], ...] = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    def line(self, *without: str) -> str:
        """Write the options again, for another line, without those of these names."""
        words = []
        for name, flag, text in self.written:
            if name in without:
                continue
            if text is None:
                words.append(flag)
                continue
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            words.append(f'{flag}{"=" if _is_long(flag) else " "}"{escaped}"')
        return " ".join(words)


class OptionTable:
    """The options of one magic or command.

    Parameters
    ----------
    command : str
        As the user writes it: ``'%timeit'``, ``'nbprobe timeit'``.
    options : sequence of Option
        In the order of the help.
    operand : str
        What the help calls that which follows the options.
    """

    def __init__(self, command: str, options: Sequence[Option], operand: str) -> None:
        self.command = command
        self.options = tuple(options)
        self.operand = operand
        self._by_flag = {flag: option for option in options for flag in option.flags}

    def parse_line(self, line: str) -> Parsed:
        """Read the options at the front of a magic's line.

        As IPython and getopt do: ``-n1``, ``-n 1``, ``-qo``, ``--budget 2``,
        ``--budget=2``, quotes round a value, ``--`` ends the options. What follows is
        code, and is not touched.

        Raises
        ------
        OptionError
            With the corrected command where there is one.
        """
        words = _Line(line)
        found: dict[str, list[Any]] = {}
        while (word := words.peek()).startswith("-") and word not in ("-", "--"):
            if word.startswith("--"):
                self._read_word(words, found)
            else:
                self._read_letters(words, found)
            words.skip_blanks()
        if word == "--":
            words.skip(2)
            words.skip_blanks()
        rest = line[words.position :]
        return self._parsed(found, rest=rest, written=tuple(words.written))

    def parse_arguments(self, arguments: Sequence[str]) -> Parsed:
        """Read the options at the front of a command's arguments, as getopt does.

        Raises
        ------
        OptionError
            With the corrected command where there is one.
        """
        letters = "".join(
            flag[1] + (":" if option.metavar else "")
            for flag, option in self._by_flag.items()
            if not _is_long(flag)
        )
        words = [
            flag[2:] + ("=" if option.metavar else "")
            for flag, option in self._by_flag.items()
            if _is_long(flag)
        ]
        try:
            pairs, rest = getopt.getopt(self._spelled_out(arguments), letters, words)
        except getopt.GetoptError as error:
            flag = ("-" if len(error.opt) == 1 else "--") + error.opt
            if flag in self._by_flag and self._by_flag[flag].metavar:
                raise self._missing(flag) from None
            if "not recognized" in error.msg:
                raise self._unknown(flag, shlex.join(arguments)) from None
            raise OptionError(error.msg) from None
        found: dict[str, list[Any]] = {}
        for flag, text in pairs:
            option = self._by_flag[flag]
            found.setdefault(option.name, []).append(
                option.read(flag, text) if option.metavar else True
            )
        return self._parsed(found, arguments=tuple(rest))

    def _spelled_out(self, arguments: Sequence[str]) -> list[str]:
        """Write implied values where they are meant, for getopt knows of none."""
        found = list(arguments)
        for index, word in enumerate(found):
            if not word.startswith("-") or word == "--":
                break
            option = self._by_flag.get(word)
            if option is None or not option.implied:
                continue
            if len(found) > index + 2 and _is_number(found[index + 1]):
                found[index : index + 2] = [f"{word}={found[index + 1]}"]
            else:
                found[index] = f"{word}={option.implied}"
        return found

    def _read_word(self, words: _Line, found: dict[str, list[Any]]) -> None:
        flag, equals, _ = words.peek().partition("=")
        option = self._option(flag, words)
        words.skip(len(flag) + len(equals))
        text: str | None = None
        if option.implied and not equals:
            words.skip_blanks()
            text = option.implied
            if _is_number(words.peek()) and words.continues():
                text = words.peek()
                words.skip(len(text))
            value = option.read(flag, text)
        elif option.metavar:
            if not equals:
                words.skip_blanks()
            text, value = self._value(option, flag, words)
        elif equals:
            raise OptionError(f"{flag} takes no value")
        else:
            value = True
        words.written.append((option.name, flag, text))
        found.setdefault(option.name, []).append(value)

    def _read_letters(self, words: _Line, found: dict[str, list[Any]]) -> None:
        """Read a bundle: switches, and at its end possibly an option with a value."""
        letters = words.peek()[1:]
        for index, letter in enumerate(letters):
            flag = f"-{letter}"
            option = self._option(flag, words)
            if not option.metavar:
                words.written.append((option.name, flag, None))
                found.setdefault(option.name, []).append(True)
                continue
            words.skip(index + 2)
            words.skip_blanks()
            text, value = self._value(option, flag, words)
            words.written.append((option.name, flag, text))
            found.setdefault(option.name, []).append(value)
            return
        words.skip(len(letters) + 1)

    def _option(self, flag: str, words: _Line) -> Option:
        if flag not in self._by_flag:
            raise self._unknown(flag, words.line, words.position)
        return self._by_flag[flag]

    def _value(self, option: Option, flag: str, words: _Line) -> tuple[str, Any]:
        text = words.value(flag)
        if text is None:
            raise self._missing(flag)
        return text, option.read(flag, text)

    def _missing(self, flag: str) -> OptionError:
        option = self._by_flag[flag]
        value = "|".join(option.choices) or option.metavar
        return OptionError(f"{flag} needs a value: {self.command} {flag} {value}")

    def _unknown(self, flag: str, line: str, position: int = 0) -> OptionError:
        before, after = line[:position], line[position:]
        close = difflib.get_close_matches(flag, filter(_is_long, self._by_flag), 1, 0.7)
        if _is_long(flag) and close:
            corrected = before + after.replace(flag, close[0], 1)
            return OptionError(
                f"unknown option {flag}; did you mean {close[0]}? "
                f"{self.command} {corrected}"
            )
        return OptionError(
            f"unknown option {flag}, the options are {' '.join(self._by_flag)}; a "
            f"{self.operand} that begins with a dash needs -- before it: "
            f"{self.command} {before}-- {after}"
        )

    def _parsed(self, found: dict[str, list[Any]], **rest: Any) -> Parsed:
        values: dict[str, Any] = {}
        for option in self.options:
            if option.repeatable:
                values[option.name] = tuple(found.get(option.name, ()))
            elif option.name in found:
                values[option.name] = found[option.name][-1]
            else:
                values[option.name] = option.default if option.metavar else False
        return Parsed(values, frozenset(found), **rest)

    def help(self, width: int = 80) -> str:
        """List the options, with their explanations indented under them."""
        entries = []
        for option in self.options:
            text = textwrap.fill(
                option.help, width, initial_indent="    ", subsequent_indent="    "
            )
            entries.append(f"{option.usage}\n{text}")
        return "\n".join(entries)

    def refuse(self, error: Exception) -> int:
        """Tell what is wrong with a command's arguments; give its exit code."""
        print(f"{self.command}: {error}", file=sys.stderr)
        print("use -h/--help for command line help", file=sys.stderr)
        return 2

    def complete(self, line: str) -> list[str] | None:
        """Complete the end of a magic's line that is still being written.

        Returns
        -------
        list of str, or None
            What the last word may become: a long flag, or one of an option's choices.
            None when the cursor is already in the code.
        """
        words = _Line(line)
        while (word := words.peek()).startswith("-") and word != "--":
            flag, equals, value = word.partition("=")
            if not _is_long(flag):
                flag = "-" + flag[-1]
            if words.position + len(word) == len(line) and not equals:
                break
            words.skip(len(flag) if _is_long(flag) else len(word))
            words.skip(len(equals))
            option = self._by_flag.get(flag)
            if option is not None and option.implied and not equals:
                words.skip_blanks()
                if _is_number(words.peek()):
                    words.skip(len(words.peek()))
            elif option is not None and option.metavar:
                if not equals:
                    words.skip_blanks()
                value = words.peek()
                if words.position + len(value) == len(line):
                    return [text for text in option.choices if text.startswith(value)]
                try:
                    words.value(flag)
                except OptionError:  # the quote is still open
                    return []
            words.skip_blanks()
        if not word.startswith("-") or words.position + len(word) < len(line):
            return None
        flags = filter(_is_long, self._by_flag)
        return [flag for flag in flags if flag.startswith(word)]


def new_file(text: str) -> str:
    """Check the name of a file to be written, before anything has run for it.

    Raises
    ------
    ValueError
        Saying what is wrong with it, as the converters of options do.
    """
    folder = os.path.dirname(text) or os.curdir
    if os.path.isdir(text):
        raise ValueError("the name of a file, which is no folder")
    if not os.path.isdir(folder):
        raise ValueError("the name of a file in a folder that exists")
    if not os.access(text if os.path.exists(text) else folder, os.W_OK):
        raise ValueError("the name of a file that may be written")
    return text


def new_path(text: str) -> str:
    """Check the same, and give the full path: a program may leave the folder."""
    return os.path.abspath(new_file(text))


def _is_long(flag: str) -> bool:
    return flag.startswith("--")


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\d+\.?\d*|\.\d+", word) is not None


class _Line:
    """Reads words off a line; `position` is where the next one begins."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.position = 0
        self.written: list[tuple[str, str, str | None]] = []
        self.skip_blanks()

    def peek(self) -> str:
        match = re.compile(r"\S*").match(self.line, self.position)
        assert match
        return match.group()

    def continues(self) -> bool:
        """Whether something follows the next word."""
        return bool(self.line[self.position + len(self.peek()) :].strip())

    def skip(self, count: int) -> None:
        self.position += count

    def skip_blanks(self) -> None:
        while self.line[self.position : self.position + 1].isspace():
            self.position += 1

    def value(self, flag: str) -> str | None:
        """Read a value: up to a blank that is not between quotes.

        Quotes round the whole of it are taken off; others belong to it, because a value
        may be code.
        """
        start = self.position
        quote = ""
        while self.position < len(self.line):
            character = self.line[self.position]
            if quote:
                if character == "\\":
                    self.position += 1
                elif character == quote:
                    quote = ""
            elif character in _QUOTES:
                quote = character
            elif character.isspace():
                break
            self.position += 1
        if quote:
            raise OptionError(f"{flag}: the quote {quote} in its value is not closed")
        text = self.line[start : self.position]
        if len(text) > 1 and text[0] in _QUOTES and _closes_at_end(text):
            return re.sub(r"\\([\\'\"])", r"\1", text[1:-1])
        return text or None


def _closes_at_end(text: str) -> bool:
    """Whether the quote that opens the text is closed by its last character."""
    literal = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
    return re.fullmatch(literal, text, re.DOTALL) is not None
