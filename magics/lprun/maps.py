"""line_profiler's views of what was counted, by code object."""

from __future__ import annotations

from types import CodeType
from typing import Any

from .recording import Recording
from .result import LineResult

__all__ = ["CodeMaps"]

Entry = dict[str, Any]


class CodeMaps:
    """Base of profilers that count the lines of a `Recording`.

    An entry is a dict with `lineno`, `nhits`, `total_time` in units of `timer_unit`, and
    `code`: the code, or the number that stands for that line of it.
    """

    recording: Recording

    def result(self) -> LineResult:
        """Give what was counted until now."""
        raise NotImplementedError

    @property
    def code_map(self) -> dict[CodeType, dict[int, Entry]]:
        """Entries of the lines that ran, by code and line."""
        return {
            code: {line: {**entry, "code": code} for line, entry in entries.items()}
            for code, entries in self._entries().items()
        }

    @property
    def code_hash_map(self) -> dict[CodeType, list[int]]:
        """The numbers that stand for the lines of each code, in their order."""
        return {
            code: [_hash(code, line) for line in _lines(code)]
            for code in self.recording.codes()
        }

    @property
    def c_code_map(self) -> dict[int, dict[int, Entry]]:
        """Entries by the number of their line; a line that did not run has none."""
        found: dict[int, dict[int, Entry]] = {}
        entries = self._entries()
        for code, numbers in self.code_hash_map.items():
            for line, number in zip(_lines(code), numbers, strict=True):
                ran = entries[code].get(line)
                found[number] = {} if ran is None else {line: ran}
        return found

    @property
    def dupes_map(self) -> dict[bytes, list[CodeType]]:
        """The codes that were registered, by their bytecode."""
        found: dict[bytes, list[CodeType]] = {}
        for code in self.recording.codes():
            found.setdefault(code.co_code, []).append(code)
        return found

    def _entries(self) -> dict[CodeType, dict[int, Entry]]:
        rows = {function.key: function.lines for function in self.result().functions}
        return {
            code: {
                line.number: {
                    "code": _hash(code, line.number),
                    "lineno": line.number,
                    "total_time": round(line.total_ns),
                    "nhits": line.hits,
                }
                for line in rows.get(
                    (code.co_filename, code.co_firstlineno, code.co_qualname), ()
                )
            }
            for code in self.recording.codes()
        }


def _lines(code: CodeType) -> list[int]:
    return sorted({line for _, _, line in code.co_lines() if line is not None})


def _hash(code: CodeType, line: int) -> int:
    return hash((code, line))
