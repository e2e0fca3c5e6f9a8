"""Run test modules of CPython with every module that they import measured.

Usage: python run_instrumented.py (bare | measured) MODULE...

The import system compiles from source and executes the instrumented code, so that the
standard library and the tests themselves are measured while they run. Prints one JSON
line for each module: how many tests ran, which of them failed, and what the engine says.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import io
import json
import os
import sys
import types
import unittest
from typing import TYPE_CHECKING, Any

from nbprobe._core import LineEngine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Imported by this script before the hook is there, and worth measuring all the same.
AGAIN = (
    "_collections_abc",
    "abc",
    "argparse",
    "ast",
    "asyncio",
    "collections",
    "contextlib",
    "dataclasses",
    "dis",
    "enum",
    "functools",
    "inspect",
    "json",
    "logging",
    "re",
    "textwrap",
    "tokenize",
    "traceback",
    "typing",
    "unittest",
)

#: Take seconds without probes, or all of their time in child processes without any.
LEFT_OUT = (
    "test_encoded_file",
    "test_highly_nested_objects_encoding",
    "test_memory_error_in_PyErr_PrintEx",
)


class Measured:
    """Everything that is imported while it is active has probes."""

    def __init__(self) -> None:
        self.engine = LineEngine()
        self.refused: list[str] = []

    def __enter__(self) -> Measured:
        loader: Any = importlib.machinery.SourceFileLoader
        self._get_code = loader.get_code
        measured = self

        def get_code(self: Any, fullname: str) -> types.CodeType:
            path = self.get_filename(fullname)
            code = self.source_to_code(self.get_data(path), path)
            measured.engine.add(code)
            return measured.engine.replacement(code)

        loader.get_code = get_code
        self.engine.start()
        return self

    def add_loaded(self, names: Iterable[str]) -> None:
        """Measure the functions of modules that are imported already."""
        for name in names:
            for value in list(vars(importlib.import_module(name)).values()):
                self._add(value, name)
        self.engine.stop()
        self.engine.start()

    def _add(self, value: object, module: str) -> None:
        if isinstance(value, types.FunctionType) and value.__module__ == module:
            self.engine.add(value)
        elif isinstance(value, type) and value.__module__ == module:
            for member in list(vars(value).values()):
                if isinstance(member, types.FunctionType):
                    self.engine.add(member)

    def __exit__(self, *exception: object) -> None:
        self.engine.stop()
        loader: Any = importlib.machinery.SourceFileLoader
        loader.get_code = self._get_code


def wanted(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from wanted(test)
        elif not test.id().endswith(LEFT_OUT):
            yield test


def run(name: str) -> dict[str, Any]:
    """The outcome of one test module."""
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    if not os.environ.get("NBPROBE_THOROUGH"):
        # Of one class after the other, as before: their fixtures are shared.
        suite = unittest.defaultTestLoader.suiteClass(wanted(suite))
    result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
    failed = [str(test) for test, _ in result.failures + result.errors]
    return {
        "module": name,
        "run": result.testsRun,
        "failed": sorted(failed),
        "tracebacks": [text[-1500:] for _, text in result.failures + result.errors],
    }


def main() -> None:
    how, *names = sys.argv[1:]
    if how == "bare":
        for name in names:
            print(json.dumps(run(name)), flush=True)
        return
    with Measured() as measured:
        measured.add_loaded(AGAIN)
        outcomes = [run(name) for name in names]
    table = measured.engine.lines()
    hits = sum(row[1] for _, _, rows in table for row in rows)
    refused = [code.co_qualname for code, how, _ in table if "probes" not in how]
    for outcome in outcomes:
        outcome |= {
            "hits": hits,
            "codes": len(table),
            "refused": refused,
            "dropped": measured.engine.dropped,
            "moved": measured.engine.moved,
        }
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
