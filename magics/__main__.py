"""The ``nbprobe`` command."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--version"]:
        from .build_config import build_config

        for name, value in build_config().items():
            print(f"{name + ':':18}{value}")
        return 0
    print("usage: nbprobe --version", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
