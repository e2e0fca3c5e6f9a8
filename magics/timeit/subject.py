"""A statement in loops: the code objects, and the frames in which they run a block at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from time import perf_counter_ns
from types import FunctionType
from typing import Any

from .. import _core
from ..code import Code, each_function, free_names, loop_function, together

__all__ = ["Frame", "MarkedFrame", "Statement", "Subject", "subject_of"]

Statement = str | Code | Callable[[], Any]


class Subject:
    """A statement with its setup and its names, ready to be put into loops."""

    def __init__(
        self,
        setup: Code,
        body: Code,
        each: Code | None,
        namespace: dict[str, Any],
        names: Mapping[str, Any],
    ) -> None:
        pieces = [code for code in (setup, each, body) if code is not None]
        for code in pieces:
            code.check()
        self.setup = setup
        self.body = body
        self.each = each
        self.is_async = any(code.is_async for code in pieces)
        self._namespace = namespace
        self._parameters = free_names(pieces, list(names))
        self._values = [names[name] for name in self._parameters]
        self._functions: dict[tuple[int, ...], FunctionType] = {}
        self._order = random.Random()  # not the user's: theirs stays what it would be
        self._padding: list[object] = []

    def function(self, copies: tuple[int, ...]) -> FunctionType:
        """Compile the loops with these numbers of copies, once."""
        if copies not in self._functions:
            self._functions[copies] = loop_function(
                self.setup,
                self.body,
                copies=copies,
                namespace=self._namespace,
                parameters=self._parameters,
            )
        return self._functions[copies]

    def generator(self, copies: tuple[int, ...], loops: Sequence[_core.Loop]) -> Any:
        """Start the loops in a code object and a frame of their own."""
        code = self.function(copies).__code__
        fresh = FunctionType(code.replace(co_name=code.co_name), self._namespace)
        self._padding = _padding(self._order)
        return fresh(*loops, *self._values)

    def each_generator(self, loop: _core.Loop, blank: _core.Loop) -> Any:
        """Start single executions, each after a setup of its own."""
        assert self.each is not None
        function = each_function(
            self.setup,
            self.each,
            self.body,
            namespace=self._namespace,
            parameters=self._parameters,
        )
        return function(loop, blank, *self._values)


def subject_of(
    stmt: Statement,
    setup: Statement,
    each: str | Code | None,
    namespace: dict[str, Any],
    names: Mapping[str, Any],
) -> Subject:
    """Put the pieces into one file, so that they can be compiled into one function."""
    names = dict(names)
    pieces: list[str | Code] = []
    for piece, name in ((setup, "_setup"), (each or "pass", "_each"), (stmt, "_stmt")):
        if callable(piece):
            names[name] = piece
            piece = f"{name}()"
        pieces.append(piece)
    files = [piece.filename for piece in pieces if isinstance(piece, Code)]
    if files:
        codes = [
            Code.parse(piece, files[-1]) if isinstance(piece, str) else piece
            for piece in pieces
        ]
    else:
        codes = together(*map(str, pieces))
    setup_code, each_code, body = codes
    return Subject(setup_code, body, each_code if each else None, namespace, names)


def _padding(order: random.Random) -> list[object]:
    """Occupy a few blocks of every small size, so that the next objects lie elsewhere.

    The allocator gives out the block that was freed last: without this, all frames of a
    measurement and all objects that the statement makes would lie where the first ones
    did, be that across the border of two cache lines or not.
    """
    padding: list[object] = [
        bytes(size) for size in range(0, 480, 16) for _ in range(order.randrange(4))
    ]
    for kind in (object, list, dict):  # these have free lists of their own
        padding += [kind() for _ in range(order.randrange(4))]
    for number in range(order.randrange(4)):
        padding += [float(number), 1_000_000 + number, (number,), (number, number)]
    return padding


class Frame:
    """Loops over one statement in one frame, resumed a block at a time.

    Parameters
    ----------
    generator
        What the loops run in.
    loops : sequence of Loop
        The loops of a block; with marks, the marked one and the blank one.
    copies : sequence of int
        Executions of the statement in one iteration of each loop.
    """

    def __init__(
        self, generator: Any, loops: Sequence[_core.Loop], copies: Sequence[int]
    ) -> None:
        self._generator = generator
        self.loops = loops
        self.copies = copies
        self.blocks = 0
        self.spent_ns = 0

    def block(self, iterations: int) -> Generator[Any, None, int]:
        """Let each loop run once; return the time of the first one, ns."""
        yield from self.resume(iterations)
        time_ns = self.loops[0].last_ns
        assert time_ns is not None
        return time_ns

    def resume(self, iterations: int) -> Generator[Any, None, None]:
        """Do the same, or with no iterations all but that."""
        for loop in self.loops:
            loop.arm(iterations)
        self.blocks += 1
        start = perf_counter_ns()
        try:
            yield self._generator
        finally:
            self.spent_ns += perf_counter_ns() - start

    def clear(self) -> None:
        """Forget the samples so far."""
        for loop in self.loops:
            loop.clear()

    @property
    def executions(self) -> int:
        """How often the statement was begun here."""
        return sum(
            loop.iterations * copies
            for loop, copies in zip(self.loops, self.copies, strict=True)
        )


class MarkedFrame(Frame):
    """Single executions of a statement, each between two marks, one a block."""

    @property
    def executions(self) -> int:
        """How often the statement was begun here."""
        return self.blocks
