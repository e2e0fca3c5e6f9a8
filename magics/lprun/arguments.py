"""The command lines of kernprof and of ``python -m line_profiler``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .config import Config, boolean

__all__ = ["program_options", "show_options", "wants_to_show"]

_WITH_VALUE = {
    *("-o", "--outfile", "-s", "--setup", "-p", "--prof-mod", "-u", "--unit"),
    *("--config", "-c", "-m"),
}


def wants_to_show(arguments: Sequence[str]) -> bool:
    """Whether the first word that is no option is an ``.lprof`` file to show."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-") or word == "-":
            return word.endswith(".lprof")
        if word == "-m" or (word in _WITH_VALUE and word != "-m"):
            value = next(words, "")
            if word == "-m":
                return value.endswith(".lprof") or (
                    value.startswith("-") and any(w.endswith(".lprof") for w in words)
                )
            if word == "-c" and not value.endswith(".toml"):
                return False
    return False


def show_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options of ``python -m line_profiler``, with the configuration's defaults."""
    parser = argparse.ArgumentParser(
        "nbprobe lprun", description="Show line profiles, added up."
    )
    _add_config(parser, "-c")
    _add_unit(parser)
    _add_switch(parser, "-r", "--rich", "colour the source, where rich is installed")
    _add_switch(parser, "-z", "--skip-zero", "leave out functions that were not called")
    _add_switch(parser, "-t", "--sort", "by ascending time")
    _add_switch(parser, "-m", "--summarize", "print one line a function as well")
    parser.add_argument("profile_output", nargs="+", metavar="FILE.lprof")
    return _completed(parser.parse_args(arguments), "cli")


def program_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options of kernprof, with the configuration's defaults.

    Returns
    -------
    Namespace
        With `module` or `code` when ``-m`` or ``-c`` was given, and `words`: the program
        and its arguments.
    """
    ours, kind, words = _parted(arguments)
    parser = argparse.ArgumentParser(
        "nbprobe lprun",
        description="Run a program and profile its lines; or show FILE.lprof.",
        usage="%(prog)s [options] {SCRIPT | -m MODULE | -c CODE | -} ARGUMENTS\n"
        "       %(prog)s [-u UNIT] [-r] [-z] [-t] [-m] FILE.lprof...",
    )
    _add_config(parser)
    _add_switch(parser, "-l", "--line-by-line", "profile lines, else calls; implies -b")
    _add_switch(parser, "-b", "--builtin", "let the program know 'profile' by name")
    parser.add_argument("-s", "--setup", metavar="FILE", help="run this before")
    parser.add_argument(
        *("-p", "--prof-mod"),
        action="append",
        metavar="TARGET",
        help="profile this module, function, class or file; the program's own: all of it",
    )
    _add_switch(parser, "", "--preimports", "import what -p names first [default: yes]")
    _add_switch(
        parser, "", "--prof-imports", "with -p of the program: profile its imports too"
    )
    parser.add_argument("-o", "--outfile", metavar="FILE", help="where to write")
    parser.add_argument(
        *("-v", "--verbose", "--view"), action="count", help="show the results"
    )
    parser.add_argument(
        *("-q", "--quiet"), action="count", default=0, help="say less, or nothing"
    )
    _add_switch(parser, "-r", "--rich", "colour the source, where rich is installed")
    _add_unit(parser)
    _add_switch(parser, "-z", "--skip-zero", "leave out functions that were not called")
    _add_switch(parser, "", "--summarize", "print one line a function as well")
    parser.add_argument(
        "--children",
        action="store_true",
        help="with -l: in the Python processes too that the program starts",
    )
    parser.add_argument(
        *("-i", "--output-interval"),
        nargs="?",
        const=1,
        type=int,
        metavar="SECONDS",
        help="write the results so often while it runs",
    )
    if not kind:
        parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(ours)
    if kind:
        options.words = words
    if not options.words:
        parser.error("there is no program to run")
    options.kind = kind or ("stdin" if options.words[0] == "-" else "script")
    options = _completed(options, "kernprof")
    if options.children and not options.line_by_line:
        parser.error("--children counts lines: add -l, or use nbprobe prun --children")
    return options


def _parted(arguments: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """Part our options from ``-m MODULE`` or ``-c CODE`` and what follows."""
    words = list(arguments)
    index = 0
    while index < len(words) and words[index].startswith("-") and words[index] != "-":
        word = words[index]
        # As in python -c: at the end of a bundle of letters too.
        letters = word[1:] if not word.startswith("--") else ""
        if letters and letters[-1] in "mc" and not set(letters[:-1]) & set("ospu"):
            kind = "module" if letters[-1] == "m" else "command"
            before = [f"-{letters[:-1]}"] if letters[:-1] else []
            return words[:index] + before, kind, words[index + 1 :]
        takes_value = word in _WITH_VALUE or letters[-1:] in ("o", "s", "p", "u")
        index += 2 if takes_value else 1
    return words, "", []


def _add_config(parser: argparse.ArgumentParser, *short: str) -> None:
    from .._core import __version__

    parser.add_argument("-V", "--version", action="version", version=__version__)
    parser.add_argument(
        *short, "--config", metavar="FILE", help="TOML file with the defaults"
    )
    parser.add_argument(
        "--no-config", dest="config", action="store_false", help="no such file"
    )
    parser.set_defaults(config=None)


def _add_unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("-u", "--unit"),
        type=_unit,
        metavar="SECONDS",
        help="in which times are shown",
    )


def _unit(text: str) -> float:
    unit = float(text)
    if not 0 < unit < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0, not {text!r}")
    return unit


def _add_switch(
    parser: argparse.ArgumentParser, short: str, long: str, text: str
) -> None:
    """Add a switch as line_profiler has them: ``-x``, ``--x``, ``--x=no``, ``--no-x``."""
    name = long[2:].replace("-", "_")
    if short:
        parser.add_argument(
            short, dest=name, action="store_const", const=True, help=text
        )
        text = argparse.SUPPRESS
    values: dict[str, Any] = {"dest": name, "nargs": "?", "metavar": "yes|no"}
    parser.add_argument(long, type=_boolean, const=True, help=text, **values)
    parser.add_argument(
        f"--no-{long[2:]}",
        type=lambda word: not _boolean(word),
        const=False,
        help=argparse.SUPPRESS,
        **values,
    )


def _boolean(text: str) -> bool:
    try:
        return boolean(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _completed(options: argparse.Namespace, table: str) -> argparse.Namespace:
    """Fill in what was not given from the configuration."""
    found = Config.find(options.config)
    options.config = found.path if options.config is not False else False
    for name, value in found.tables[table].items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    return options
