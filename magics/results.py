"""What every tool's result can do: be shown, saved, loaded and tabled.

A result is a frozen dataclass of plain data: strings, numbers, tuples and mappings of
them, and further such dataclasses. The field annotations are therefore the file format,
and a file is checked against them field by field when it is loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import types
import typing
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol, Self

from .errors import MissingPackageError, ResultFileError

if TYPE_CHECKING:
    from collections.abc import Collection

    class PrettyPrinter(Protocol):
        def text(self, text: str) -> None: ...

    class View(Protocol):
        def headline(self, result: Result) -> str: ...
        def text(self, result: Result) -> str: ...
        def html(self, result: Result) -> str: ...


__all__ = ["FORMAT", "VERSION", "Result", "load", "parse", "replacing"]

FORMAT = "nbprobe"
VERSION = 1

# The only classes that a file can name; nothing is imported because a file says so.
_KINDS = {
    "graphs.cycles": ("graphs.heaps.result", "Cycles"),
    "graphs.growth": ("graphs.heaps.result", "Growth"),
    "graphs.heap": ("graphs.heaps.result", "HeapSummary"),
    "graphs.heapdiff": ("graphs.heaps.result", "HeapDiff"),
    "graphs.history": ("graphs.heaps.result", "ClassHistory"),
    "graphs.leaks": ("graphs.heaps.result", "Leaks"),
    "graphs.refcount": ("graphs.heaps.result", "Refcount"),
    "dis": ("dis.result", "Disassembly"),
    "graphs.references": ("graphs.result", "ReferenceGraph"),
    "graphs.sizes": ("graphs.heaps.result", "Variables"),
    "graphs.why": ("graphs.result", "Why"),
    "lprun": ("lprun.result", "LineResult"),
    "lprun.difference": ("lprun.difference", "LineDifference"),
    "memit": ("memit.result", "MemoryResult"),
    "memit.change": ("memit.result", "Change"),
    "memit.engines": ("memit.engines", "EngineMemory"),
    "memit.growth": ("memit.growth", "Growth"),
    "memit.lines": ("memit.lines", "LineMemory"),
    "memit.recording": ("memit.recording", "Recording"),
    "memit.snapshot": ("memit.snapshots", "Snapshot"),
    "prun": ("prun.result", "ProfileResult"),
    "prun.diff": ("prun.difference", "ProfileDiff"),
    "prun.pairs": ("prun.imported", "PairProfile"),
    "timeit": ("timeit.result", "TimeitResult"),
    "timeit.comparison": ("timeit.result", "Comparison"),
    "timeit.scaling": ("timeit.result", "Scaling"),
}


class Result:
    """Base of the results: frozen dataclasses of plain data.

    A subclass is declared with ``@dataclass(frozen=True, slots=True, repr=False)`` and
    gives `kind` and `records`. Its view, which is imported when it is first shown, is the
    module ``view`` of the tool that the kind begins with.
    """

    __slots__ = ()

    kind: ClassVar[str]

    def records(self) -> list[dict[str, Any]]:
        """Give the rows of the table that `to_dataframe` makes, one mapping a row."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result to a JSON file that `nbprobe.load` reads.

        Parameters
        ----------
        path : str or path-like
            Where to write. A file that is already there is replaced in one step: it is
            never seen half-written.

        Examples
        --------
        >>> result.save("before.json")  # doctest: +SKIP
        >>> nbprobe.load("before.json") == result  # doctest: +SKIP
        True
        """
        _write(path, self.to_json(indent=1) + "\n")

    def to_json(self, indent: int | None = None) -> str:
        """Give what `save` writes, as text; `parse` reads it."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "data": _encode(self),
        }
        return json.dumps(document, allow_nan=False, indent=indent)

    def to_dataframe(self) -> Any:
        """Give the result as a pandas DataFrame of its `records`.

        Raises
        ------
        MissingPackageError
            pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise MissingPackageError(
                "to_dataframe() needs pandas: pip install pandas"
            ) from None
        return pandas.DataFrame.from_records(self.records())

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the result as an HTML page that stands alone, for light and dark screens.

        Parameters
        ----------
        path : str or path-like
            Where to write; replaced in one step. The page needs no network and no script.
        """
        from .views.html import page

        view = self._view()
        _write(path, page(view.headline(self), view.html(self)))

    def _view(self) -> View:
        tool = self.kind.partition(".")[0]
        return typing.cast("View", import_module(f".{tool}.view", __package__))

    def __str__(self) -> str:
        from .views.units import for_stdout

        return for_stdout(self._view().text(self))

    def __repr__(self) -> str:
        from .views.units import for_stdout

        line = for_stdout(self._view().headline(self))
        return f"<{type(self).__name__} : {line}>"

    def _repr_pretty_(self, printer: PrettyPrinter, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, str]:
        from .output import is_on_display

        if is_on_display(self):
            return {"text/plain": repr(self)}
        wanted = {"text/plain", "text/html"} if include is None else set(include)
        wanted -= set(exclude or ())
        bundle = {}
        if "text/plain" in wanted:
            bundle["text/plain"] = str(self)
        if "text/html" in wanted:
            bundle["text/html"] = self._view().html(self)
        return bundle

    @classmethod
    def _from_data(cls, data: Any) -> Self:
        return typing.cast("Self", _decode(cls, data, "data"))


def load(path: str | os.PathLike[str]) -> Result:
    """Read a result that `Result.save` wrote.

    Safe for files from strangers: the file is JSON, every field is checked against the
    type that it must have, and nothing in it is run or imported.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Result
        Equal to the result that was saved.

    Raises
    ------
    ResultFileError
        The file is damaged, is not one of nbprobe's, was written by a newer version, or
        holds a value of the wrong type; the message is one line that says which.
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return parse(content)
    except ResultFileError as error:
        # !a because a file name may hold what cannot be printed.
        raise ResultFileError(f"{os.fspath(path)!a}: {error}") from None


def parse(content: bytes) -> Result:
    """Read a result from the text that `Result.to_json` gave, as `load` does."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise ResultFileError(f"damaged or not a result: not JSON ({reason})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultFileError("not a result of nbprobe")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise ResultFileError(f"damaged: no version ({_shown(version)})")
    if version > VERSION:
        raise ResultFileError(
            f"written by a newer nbprobe (format {version}, this one reads up to"
            f" {VERSION}): pip install --upgrade nbprobe"
        )
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ResultFileError(f"unknown kind of result {_shown(kind)}")
    module, name = _KINDS[kind]
    cls: type[Result] = getattr(import_module(f".{module}", __package__), name)
    return cls._from_data(document.get("data"))


# JSON has no word for these; as strings they keep the file valid for every other reader.
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            field.name: _encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return value if _is_plain(value) else [_encode(item) for item in value]
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _is_plain(column: tuple[Any, ...]) -> bool:
    """Whether JSON has words for all: a tree has columns of 100,000 figures."""
    kinds = set(map(type, column))
    return kinds <= {int, str} or (kinds == {float} and all(map(math.isfinite, column)))


def _decode(annotation: Any, value: Any, where: str) -> Any:
    """Check `value`, as JSON gave it, against a field's type and convert it."""
    if dataclasses.is_dataclass(annotation):
        return _decode_dataclass(typing.cast("type", annotation), value, where)
    origin = typing.get_origin(annotation)
    if origin is tuple:
        return _decode_tuple(typing.get_args(annotation), value, where)
    if origin is dict:
        return _decode_dict(typing.get_args(annotation)[1], value, where)
    if origin is types.UnionType:
        if value is None:
            return None
        # The only unions in a result are of a type and None.
        (annotation,) = set(typing.get_args(annotation)) - {types.NoneType}
        return _decode(annotation, value, where)
    if annotation is float:
        return _decode_float(value, where)
    # bool is a subclass of int, but true is no count.
    if type(value) is not annotation:
        raise _mismatch(where, _NOUNS[annotation], value)
    if annotation is int and abs(value) >= 2**63:
        raise _mismatch(where, "a whole number of at most 64 bits", value)
    return value


_NOUNS = {str: "a string", int: "a whole number", bool: "true or false"}


def _decode_dataclass(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _mismatch(where, "an object", value)
    hints = _field_types(cls)
    known = {
        field.name
        for field in dataclasses.fields(cls)
        if field.default is not dataclasses.MISSING
    }
    if missing := [name for name in hints if name not in value and name not in known]:
        raise ResultFileError(f"damaged: {where} lacks {missing[0]!r}")
    if unknown := [name for name in value if name not in hints]:
        raise ResultFileError(
            f"damaged: {where} has an unknown field {_shown(unknown[0])}"
        )
    arguments = {
        name: _decode(hint, value[name], f"{where}.{name}")
        for name, hint in hints.items()
        if name in value
    }
    try:
        return cls(**arguments)
    except ValueError as error:
        raise ResultFileError(f"damaged: {where}: {error}") from None


@cache
def _field_types(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _decode_tuple(
    arguments: tuple[Any, ...], value: Any, where: str
) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _mismatch(where, "an array", value)
    if arguments[-1] is Ellipsis:
        if _is_column(arguments[0], value):
            return tuple(value)
        arguments = (arguments[0],) * len(value)
    elif len(arguments) != len(value):
        raise _mismatch(where, f"an array of {len(arguments)}", value)
    return tuple(
        _decode(argument, item, f"{where}[{index}]")
        for index, (argument, item) in enumerate(zip(arguments, value, strict=True))
    )


def _is_column(annotation: Any, values: list[Any]) -> bool:
    """Whether all values are of the type already, and no more is to be checked."""
    if annotation is int:
        if set(map(type, values)) != {int}:
            return False
        return bool(-(2**63) < min(values) and max(values) < 2**63)
    return annotation in (str, float) and set(map(type, values)) == {annotation}


def _decode_dict(argument: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(where, "an object", value)
    return {
        key: _decode(argument, item, f"{where}[{_shown(key)}]")
        for key, item in value.items()
    }


def _decode_float(value: Any, where: str) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if type(value) is not float and type(value) is not int:
        raise _mismatch(where, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise _mismatch(where, "a number of ordinary size", value) from None


def _mismatch(where: str, noun: str, value: Any) -> ResultFileError:
    return ResultFileError(f"damaged: {where} must be {noun}, found {_shown(value)}")


def _shown(value: Any) -> str:
    """Give a value of a file in a form that is short and keeps to one line."""
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write a file in one step: readers see the old content or the new."""
    temporary = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        # Exclusive, so that two writers cannot share a temporary file or follow a link.
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = os.fspath(path)  # the name that the user knows
        raise


def _write(path: str | os.PathLike[str], text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
