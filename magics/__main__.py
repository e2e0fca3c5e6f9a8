"""The ``nbprobe`` command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# One module of nbprobe.commands each.
COMMANDS = ("dis", "heap", "lprun", "memit", "mprof", "prun", "refs", "timeit")


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has had enough, as `head` has. What is still to be
        # written goes nowhere, without a word when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        code: int = _command(name).main(arguments[1:])
        return code
    if name == "--version":
        _print_version()
        return 0
    if name in ("-h", "--help"):
        _print_help()
        return 0 if arguments else 2
    print(
        f"nbprobe: there is no command {name!r}; the commands are: {', '.join(COMMANDS)}",
        file=sys.stderr,
    )
    return 2


def _command(name: str) -> Any:
    return import_module(f".commands.{name}", __package__)


def _print_version() -> None:
    from .build import build_config

    for name, value in build_config().items():
        print(f"{name + ':':18}{value}")


def _print_help() -> None:
    print("usage: nbprobe COMMAND [options]\n       nbprobe --version\n\ncommands:")
    for name in COMMANDS:
        print(f"  {name:10}{_command(name).SUMMARY}")
    print("\n'nbprobe COMMAND --help' explains one.")


if __name__ == "__main__":
    sys.exit(main())
