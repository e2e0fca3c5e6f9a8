"""``nbprobe mprof``: memory over time, with the verbs, flags and files of memory_profiler's."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Sequence

from ..errors import NbprobeError
from ..memit import files, record
from ..memit.watch import BACKENDS
from ..options import Option, OptionError, OptionTable, Parsed
from ..timeit.options import above_zero

SUMMARY = "the memory of a program over time; every verb and flag of mprof"


def _window(text: str) -> tuple[float, float]:
    try:
        first, last = map(float, text.split(","))
    except ValueError:
        first = last = 0.0
    if not first < last:
        raise ValueError("two numbers of seconds, as in 0,20.5")
    return first, last


_HELP = Option("help", ("-h", "--help"), "Show this and exit.")
_DRY = Option("dry", ("--dry-run",), "Say what would be removed, and remove nothing.")

_RUN = (
    Option(
        "python",
        ("--python",),
        "The program is a script or a module of Python: record the functions that have "
        "@profile. A name that ends in .py is one without being told.",
    ),
    Option("nopython", ("--nopython",), "It is not, whatever its name."),
    Option(
        "interval",
        ("-T", "--interval"),
        "Look every S seconds [default 0.1]. A higher peak in between is recorded too.",
        "S",
        above_zero("seconds"),
        0.1,
    ),
    Option(
        "include_children",
        ("-C", "--include-children"),
        "Add up the processes that it starts; what they share is counted once.",
    ),
    Option(
        "multiprocess",
        ("-M", "--multiprocess"),
        "Record the processes that it starts too, each by itself.",
    ),
    Option("exit_code", ("-E", "--exit-code"), "Exit with the program's own code."),
    Option(
        "attach", ("-a", "--attach"), "Watch a process that runs: its number or name."
    ),
    Option(
        "timeout",
        ("-t", "--timeout"),
        "Watch for S seconds [default: to its end; with attach an hour].",
        "S",
        above_zero("seconds"),
    ),
    Option(
        "output",
        ("-o", "--output"),
        "Write to FILE [default mprofile_<date and time>.dat].",
        "FILE",
    ),
    Option(
        "backend",
        ("--backend",),
        "What is counted: resident memory (psutil, posix), proportional or unique "
        "[default psutil; psutil_pss where processes are added up].",
        "NAME",
        choices=BACKENDS[:4],
    ),
    _HELP,
)

_PLOT = (
    Option("title", ("-t", "--title"), "Write this above it.", "TEXT"),
    Option("no_functions", ("-n", "--no-function-ts"), "Leave the functions out."),
    Option(
        "output",
        ("-o", "--output"),
        "Write to FILE, whose ending says what: .html, .svg, .txt, or one that matplotlib "
        "writes, such as .png [default an .html beside the .dat].",
        "FILE",
    ),
    Option(
        "window",
        ("-w", "--window"),
        "Only from A to B seconds.",
        "A,B",
        _window,
    ),
    Option(
        "flame",
        ("-f", "--flame"),
        "Show the functions as rows by depth, not in brackets.",
    ),
    Option("slope", ("-s", "--slope"), "Draw a trend line and give its slope."),
    Option(
        "backend",
        ("--backend",),
        "Have matplotlib draw it, with this backend of its own.",
        "NAME",
    ),
    _HELP,
)


def _run(options: Parsed) -> int:
    if not options.arguments:
        raise OptionError("there is no program; write nbprobe mprof run PROGRAM")
    return record.run(options)


def _attach(options: Parsed) -> int:
    if not options.arguments:
        raise OptionError("there is no process; write nbprobe mprof attach PID|NAME")
    return record.attach(options)


def _list(options: Parsed) -> int:
    for number, name in enumerate(files.existing()):
        print(f"{number} {name} {files.when(name)}")
    return 0


def _rm(options: Parsed) -> int:
    if not options.arguments:
        raise OptionError(
            "there is no file to remove; write nbprobe mprof rm NUMBER|FILE"
        )
    files.remove(files.named(options.arguments), dry=options.dry)
    return 0


def _clean(options: Parsed) -> int:
    files.remove(files.existing(), dry=options.dry)
    return 0


def _plot(options: Parsed) -> int:
    from ..memit.plot import plot

    return plot(files.chosen(options.arguments), options)


def _peak(options: Parsed) -> int:
    for name in files.chosen(options.arguments):
        print(files.peak(name, options.function))
    return 0


class _Verb:
    """One word after ``mprof``: what it does, its options, what follows them."""

    def __init__(
        self,
        name: str,
        summary: str,
        options: Sequence[Option],
        operand: str,
        do: Callable[[Parsed], int],
    ) -> None:
        self.summary = summary
        self.operand = operand
        self.table = OptionTable(f"nbprobe mprof {name}", options, operand)
        self.do = do


VERBS = {
    "run": _Verb("run", "start a program and record its memory", _RUN, "program", _run),
    "attach": _Verb("attach", "record a process that runs", _RUN, "process", _attach),
    "plot": _Verb(
        "plot",
        "draw recordings [default: the last one]",
        _PLOT,
        "file or number",
        _plot,
    ),
    "list": _Verb("list", "name the recordings of this folder", (_HELP,), "", _list),
    "rm": _Verb("rm", "remove recordings", (_DRY, _HELP), "file or number", _rm),
    "clean": _Verb(
        "clean", "remove all recordings of this folder", (_DRY, _HELP), "", _clean
    ),
    "peak": _Verb(
        "peak",
        "say how much memory was used at most [default: by the last one]",
        (
            Option(
                "function", ("--func",), "While this function ran: MODULE.NAME.", "NAME"
            ),
            _HELP,
        ),
        "file or number",
        _peak,
    ),
}


def main(argv: list[str]) -> int:
    """Run ``nbprobe mprof`` and return the exit code."""
    name = argv[0] if argv else "--help"
    if name not in VERBS:
        return _without_verb(name, bool(argv))
    verb = VERBS[name]
    arguments = argv[1:]
    try:
        if name in ("run", "attach"):
            options = verb.table.parse_arguments(arguments)
        else:
            options = verb.table.parse_arguments(_options_first(verb.table, arguments))
        if options.help:
            print(f"usage: nbprobe mprof {name} [options] {verb.operand}\n")
            print(f"{verb.summary}\n\n{verb.table.help()}")
            return 0
        return verb.do(options)
    except OptionError as error:
        print(f"nbprobe mprof {name}: {error}", file=sys.stderr)
        return 2
    except (NbprobeError, OSError) as error:
        print(f"nbprobe mprof {name}: {error}", file=sys.stderr)
        return 1


def _without_verb(name: str, is_given: bool) -> int:
    if name in ("-h", "--help"):
        print("usage: nbprobe mprof VERB [options] ...\n\nverbs:")
        for word, verb in VERBS.items():
            print(f"  {word:8}{verb.summary}")
        print("\n'nbprobe mprof VERB --help' explains one.")
        return 0 if is_given else 2
    print(
        f"nbprobe mprof: there is no verb {name!r}; the verbs are: {', '.join(VERBS)}",
        file=sys.stderr,
    )
    return 2


def _options_first(table: OptionTable, arguments: Sequence[str]) -> list[str]:
    """Put options before files and numbers, which may be negative: -1 is the last one."""
    with_value = {
        flag for option in table.options if option.metavar for flag in option.flags
    }
    options: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += words
        elif not word.startswith("-") or re.fullmatch(r"-\d+", word):
            rest.append(word)
        else:
            options.append(word)
            if word in with_value:
                options += itertools.islice(words, 1)
    return [*options, "--", *rest]
