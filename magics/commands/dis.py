"""``nbprobe dis``: ``python -m dis`` with its flags, and the source beside the bytecode."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tokenize import open as open_source

from ..code import register_source
from ..dis import disassemble
from ..dis.options import CACHES, DEPTH, OFFSETS
from ..options import Option, OptionError, OptionTable, new_file

SUMMARY = "the bytecode of a file beside its source; every flag of python -m dis"

TABLE = OptionTable(
    "nbprobe dis",
    [
        CACHES,
        OFFSETS,
        DEPTH,
        Option(
            *(
                "html",
                ("--html",),
                "Write it to FILE, as it looks in a notebook.",
                "FILE",
            ),
            new_file,
        ),
        Option("help", ("-h", "--help"), "Show this and exit."),
    ],
    "file",
)

USAGE = """usage: nbprobe dis [options] [file]

Show the bytecode of a Python file beside its source; without a file, or with -, that of
standard input. Nothing of it is run.

"""


def main(argv: list[str]) -> int:
    """Run ``nbprobe dis`` and return the exit code: 0, 1 (no such code) or 2 (usage)."""
    try:
        options = TABLE.parse_arguments(argv)
        if len(options.arguments) > 1:
            raise OptionError("one file at a time")
    except OptionError as error:
        return TABLE.refuse(error)
    if options.help:
        print(USAGE + TABLE.help())
        return 0
    file = options.arguments[0] if options.arguments else "-"
    try:
        text = _read(file)
        name = register_source(text) if file == "-" else file
        code = compile(text, name, "exec", dont_inherit=True)
        result = replace(
            disassemble(code, depth=options.depth),
            caches=options.caches,
            offsets=options.offsets,
        )
        print(result)
        if options.html:
            result.to_html(Path(options.html))
    # A null byte in the text is a ValueError before Python 3.12.
    except (OSError, SyntaxError, ValueError) as error:
        print(f"nbprobe dis: {error}", file=sys.stderr)
        return 1
    return 0


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    with open_source(file) as stream:
        return stream.read()
