"""The line engine, and the text of what it measures: from registration to plain tables."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from .._core import LineEngine
from ..source import Source, source_of
from ..texts import known_text
from .calibration import event_costs
from .result import Function, Line, LineMemory, merged
from .statements import lines_of_statements, statement_lines

__all__ = ["Recording"]

_Row = tuple[int, int, int, int, int, int, int]
_Traffic = tuple[int, int, int, int]
_MemoryRow = tuple[int, _Traffic, _Traffic, int, int, int]


class Recording:
    """Functions with their text, registered with an engine of their own.

    Parameters
    ----------
    memory : bool
        Measure what lines allocate too.
    native : bool
        Also what libraries allocate past Python's allocators.
    resident : bool
        Also what is resident as lines end.

    Attributes
    ----------
    engine : LineEngine
        It counts; nothing is switched on before `start`.
    names : dict of int to str
        Of threads that have ended, as far as somebody has noted them.
    """

    def __init__(
        self, *, memory: bool = False, native: bool = False, resident: bool = False
    ) -> None:
        self.engine = LineEngine(memory=memory, native=native, resident=resident)
        self.names: dict[int, str] = {}
        self._native = native
        # By identity throughout: codes of equal text are equal, wherever they are from.
        self._roots: dict[int, tuple[CodeType, FunctionType | None]] = {}
        # What is registered may be thousands of functions, of which few are called: the
        # text of their file is kept, and what is theirs of it is found when it is shown.
        self._texts: dict[int, tuple[CodeType, Mapping[str, Any] | None, str]] = {}
        self._sources: dict[int, Source] = {}
        # Codes that another engine put its probes into -> the same without them.
        self._aliases: dict[int, tuple[CodeType, CodeType]] = {}

    def add(self, what: FunctionType | CodeType, *, is_new: bool = False) -> bool:
        """Register a function or a code object, with all code nested in it.

        Parameters
        ----------
        what : function or code
        is_new : bool
            It has never run, and no function has this code yet; see `prepare`.

        Returns
        -------
        bool
            Whether it is new. A function that shares the code of one that is known is
            measured like that one, and is not new.
        """
        function = what if isinstance(what, FunctionType) else None
        code = what.__code__ if isinstance(what, FunctionType) else what
        if self._is_known(code):
            self._join(function)
            return False
        namespace = function.__globals__ if function is not None else None
        text = known_text(code)
        for each in _nested(code):
            self._texts.setdefault(id(each), (each, namespace, text))
        self._register(code, is_new=is_new)
        self._roots[id(code)] = code, function
        return True

    def _register(self, code: CodeType, *, is_new: bool = False) -> None:
        """Have the engine measure a code; its file is parsed if there is no other way."""
        root = self.root(code)
        text = self._texts[id(root)][2]
        statements: bytes | dict[int, int] | None = None
        if text:
            statements = lines_of_statements(root, text)
        if statements is None:
            for each in _nested(root):
                self.source(each)
            tree = self.source(root).tree
            statements = statement_lines(tree) if tree is not None else None
        self.engine.add(code, statements, is_new)

    def prepare(self, module: CodeType, is_wanted: Callable[[CodeType], bool]) -> None:
        """Register functions that a module, which is about to run, will define.

        Parameters
        ----------
        module : CodeType
            It is not measured itself.
        is_wanted : callable
            Says whether a function is to be measured, by its code; and then all that is
            nested in it.
        """
        wanted = [code for code in _defined(module) if is_wanted(code)]
        for code in wanted:
            self.add(code, is_new=True)
        if wanted:
            self.engine.prepare(module)

    def root(self, code: CodeType) -> CodeType:
        """Give a code of the engine's as it is without the probes of another engine."""
        return self._aliases.get(id(code), (code, code))[1]

    def source(self, code: CodeType) -> Source:
        """Give the text of a code that is registered, or nested in one that is."""
        key = id(self.root(code))
        if key not in self._sources:
            self._sources[key] = source_of(*self._texts[key])
        return self._sources[key]

    def _is_known(self, code: CodeType) -> bool:
        try:
            self.engine.replacement(code)
        except KeyError:
            return False
        return True

    def _join(self, function: FunctionType | None) -> None:
        """Measure a function that was made from code that is known, while running."""
        if function is not None and self.engine.running:
            function.__code__ = self.engine.replacement(function.__code__)

    def start(self) -> None:
        """Put the probes in."""
        for root, function in list(self._roots.values()):
            if function is not None and not self._is_known(function.__code__):
                self._follow(root, function)
        self.calibrate()
        self.engine.start()

    def calibrate(self) -> None:
        """Measure what a probe takes, unless that is known."""
        if not any(self.engine.costs):
            self.engine.costs = event_costs(
                memory=self.engine.memory, native=self._native
            )

    def _follow(self, root: CodeType, function: FunctionType) -> None:
        """Register the code that a function has got since it was registered."""
        if not _has_probes(function.__code__):
            self.add(function)
            return
        for pair in zip(_nested(function.__code__), _nested(root), strict=True):
            self._aliases[id(pair[0])] = pair
        self._register(function.__code__)

    def stop(self) -> None:
        """Take the probes out."""
        self.engine.stop()

    def forget_uncalled(self) -> None:
        """Leave out from now on what has not been called until now."""
        counted = _Tables(self.engine, self._aliases)
        for key, (code, _) in list(self._roots.items()):
            if not any(counted.lines(each) for each in _nested(code)):
                del self._roots[key]

    def codes(self) -> list[CodeType]:
        """Give the codes that were registered, in that order, as they are without probes."""
        return [code for code, _ in self._roots.values()]

    def threads(self) -> dict[int, str]:
        """Name the threads that ran measured code: the main one first, then as they began."""
        names = {thread.ident or 0: thread.name for thread in threading.enumerate()}
        names.update(self.names)
        main = threading.main_thread().ident
        began = {ident: place for place, ident in enumerate(self.names)}
        idents = sorted(
            self.engine.threads(),
            key=lambda ident: (ident != main, began.get(ident, len(began)), ident),
        )
        found: dict[int, str] = {}
        for place, ident in enumerate(idents, 1):
            name = "threads that ended" if ident == 0 else f"thread {place}"
            name = names.get(ident, name)
            taken = name in found.values()
            found[ident] = f"{name} ({ident})" if taken else name
        return found

    def functions(self, *, only_hit: bool = False) -> tuple[Function, ...]:
        """Give what was counted until now.

        Parameters
        ----------
        only_hit : bool
            Leave out what was not called. Functions nested in others, which nobody named,
            are always left out then.
        """
        idents = list(self.threads())
        whole = _Tables(self.engine, self._aliases)
        parts = [
            _Tables(self.engine, self._aliases, ident)
            for ident in idents[: len(idents) > 1 and None]
        ]
        found = []
        for code in self._order():
            lines = whole.lines(code)
            if not lines and (only_hit or id(code) not in self._roots):
                continue
            source = self.source(code)
            found.append(
                Function(
                    name=code.co_qualname,
                    file=code.co_filename,
                    first=source.first if source.lines else code.co_firstlineno,
                    how=whole.how.get(id(code), "not measured"),
                    source=source.lines,
                    note=source.note,
                    lines=lines,
                    threads=tuple(part.lines(code) for part in parts),
                )
            )
        return tuple(found)

    def _order(self) -> Iterator[CodeType]:
        """Give every code that is shown by itself: each before those nested in it."""
        seen = set()
        for root, _ in self._roots.values():
            for code in _nested(root):
                key = id(code)
                if key not in seen and (key in self._roots or not _is_part(code)):
                    seen.add(key)
                    yield code


class _Tables:
    """What an engine counted, in one thread or in all."""

    def __init__(
        self,
        engine: LineEngine,
        aliases: Mapping[int, tuple[CodeType, CodeType]],
        thread: int | None = None,
    ) -> None:
        self.how: dict[int, str] = {}
        self._lines: dict[int, list[Line]] = {}
        memory = engine.memory_lines(thread) if engine.memory else None
        for place, (code, how, rows) in enumerate(engine.lines(thread)):
            root = id(aliases.get(id(code), (code, code))[1])
            self.how.setdefault(root, how)
            beside: Sequence[_MemoryRow | None] = [None] * len(rows)
            if memory is not None:
                beside = memory[place][2]
            pairs = zip(rows, beside, strict=False)
            self._lines.setdefault(root, []).extend(
                _line(row, other) for row, other in pairs if any(row[1:4])
            )

    def lines(self, code: CodeType) -> tuple[Line, ...]:
        """Give the lines that ran, those of comprehensions and class bodies with them."""
        own = self._lines.get(id(code), [])
        parts = [
            line
            for constant in code.co_consts
            if isinstance(constant, CodeType) and _is_part(constant)
            for line in self.lines(constant)
        ]
        return merged([tuple(own), *(_booked(line, own) for line in parts)])


def _booked(part: Line, lines: list[Line]) -> tuple[Line, ...]:
    """Book the own time of a comprehension's line on the statement that it is part of.

    Its time is in the statement's total, where it was called from; not in its own time.
    """
    before = [line.number for line in lines if line.number <= part.number]
    if not before:
        return ()
    return (Line(before[-1], 0, 0.0, part.self_ns, 0.0, 0.0, part.raw_self_ns),)


def _line(row: _Row, memory: _MemoryRow | None) -> Line:
    number, hits, total, own, suspended, total_tool, own_tool = row
    return Line(
        number=number,
        hits=hits,
        total_ns=float(max(0, total - total_tool)),
        self_ns=float(max(0, own - own_tool)),
        awaited_ns=float(suspended),
        raw_total_ns=float(total),
        raw_self_ns=float(own),
        memory=_line_memory(memory) if memory is not None else None,
    )


def _line_memory(row: _MemoryRow) -> LineMemory:
    _, inclusive, own, peak, own_peak, _ = row
    return LineMemory(*inclusive, own[0], own[2], peak, own_peak)


def _has_probes(code: CodeType) -> bool:
    """Whether an engine, ours or another, has put its probes into a code."""
    return any(type(constant).__name__ == "LeaveProbe" for constant in code.co_consts)


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Give a code and all codes within it, outer ones first."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _defined(code: CodeType) -> Iterator[CodeType]:
    """Give the functions that a module or class defines, and its classes do."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_OPTIMIZED:
                yield constant
            else:
                yield from _defined(constant)


def _is_part(code: CodeType) -> bool:
    """Whether nested code is part of the statement it stands in, not a function of its own.

    Comprehensions, class bodies, scopes of type parameters.
    """
    if code.co_name.startswith("<"):
        return code.co_name != "<lambda>"
    return not code.co_flags & inspect.CO_OPTIMIZED
