"""``--prof-mod``: modules, functions and whole scripts that a command profiles by name."""

from __future__ import annotations

import ast
import os
import pkgutil
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .profiler import LineProfiler

__all__ = ["Targets"]

_REGISTER = "profile.add_imported_function_or_module({})"


class Targets:
    """What ``--prof-mod`` names.

    Parameters
    ----------
    names : sequence of str
        Paths of files, dotted names, or several of them with commas between; an empty one
        forgets those before it.

    Attributes
    ----------
    names : list of str
        One each; paths are absolute.
    """

    def __init__(self, names: Sequence[str]) -> None:
        found: dict[str, None] = {}
        for name in names:
            if not name:
                found.clear()
            for part in [name] if os.path.exists(name) else name.split(","):
                if part:
                    is_file = os.path.isfile(part)
                    found[os.path.abspath(part) if is_file else part] = None
        self.names = list(found)

    def has_script(self, file: str, module: str | None) -> bool:
        """Whether the program itself is named: by its file, or as a module."""
        real = os.path.realpath(file)
        return any(
            os.path.realpath(name) == real or (module and _is_within(module, name))
            for name in self.names
        )

    def places(self) -> list[tuple[str, str]]:
        """Give the file or folder of each, and the name in it, as `options_for` takes them.

        Nothing is imported; what is nowhere to be found is left out.
        """
        return [place for name in self.names for place in _place(name)]

    def preimport(self, profiler: LineProfiler, script: str) -> list[str]:
        """Import what is named, all modules of a package too, and profile it from now on.

        Returns
        -------
        list of str
            One line for each name that cannot be imported.
        """
        problems = []
        for name in self.names:
            if os.path.realpath(name) == os.path.realpath(script):
                continue
            try:
                for item in _imported(_module_name(name)):
                    profiler.add_imported_function_or_module(item)
            # Importing runs the user's code, which raises what it likes.
            except Exception as error:
                reason = str(error).splitlines()[0] if str(error) else ""
                problems.append(f"-p {name}: {type(error).__name__}: {reason}")
        return problems

    def transform(self, file: str, text: str, *, everything: bool) -> CodeType:
        """Compile a program so that it registers what it imports, as far as it is named.

        Parameters
        ----------
        file, text : str
        everything : bool
            Register all imports.
        """
        tree = ast.parse(text, file)
        transformed = _Imports(self.names, everything).visit(tree)
        code: CodeType = compile(
            ast.fix_missing_locations(transformed), file, "exec", dont_inherit=True
        )
        return code


class _Imports(ast.NodeTransformer):
    """Adds a call after each import that is to be profiled."""

    def __init__(self, names: Sequence[str], everything: bool) -> None:
        self._names = [_module_name(name) for name in names]
        self._everything = everything

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        pairs = [(alias.name, alias.asname or alias.name) for alias in node.names]
        return [node, *self._calls(node, pairs)]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        pairs = [
            (f"{node.module}.{alias.name}", alias.asname or alias.name)
            for alias in node.names
            if alias.name != "*"
        ]
        return [node, *self._calls(node, pairs)]

    def _calls(
        self, node: ast.stmt, pairs: Sequence[tuple[str, str]]
    ) -> Iterator[ast.stmt]:
        for full, local in pairs:
            if self._everything or any(_is_within(full, name) for name in self._names):
                (call,) = ast.parse(_REGISTER.format(local)).body
                yield ast.copy_location(call, node)


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _module_name(name: str) -> str:
    """Give the dotted name of a path, from the outermost folder that is a package."""
    if not os.path.isfile(name):
        return name
    path = Path(name)
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _place(name: str) -> Iterator[tuple[str, str]]:
    if os.path.isfile(name):
        yield os.path.realpath(name), ""
        return
    words = name.split(".")
    found: ModuleSpec | None = None
    for count in range(1, len(words) + 1):
        folders = found.submodule_search_locations if found is not None else None
        if found is not None and folders is None:
            break
        spec = PathFinder.find_spec(".".join(words[:count]), folders)
        if spec is None:
            break
        found, rest = spec, ".".join(words[count:])
    if found is not None and rest == "" and found.submodule_search_locations:
        for folder in found.submodule_search_locations:
            yield os.path.join(os.path.realpath(folder), ""), ""
    elif found is not None and found.origin:
        yield os.path.realpath(found.origin), rest


def _imported(name: str) -> Iterator[Any]:
    """Import what a dotted name means; of a package all its modules."""
    whole, _, last = name.rpartition(".")
    if last == "__init__":
        yield import_module(whole)
        return
    if _is_module(name):
        module = import_module(name)
        yield module
        yield from _submodules(module)
        return
    while whole and not _is_module(whole):
        whole = whole.rpartition(".")[0]
    try:
        yield attrgetter(name[len(whole) + 1 :])(import_module(whole or name))
    except (AttributeError, ImportError):
        raise ModuleNotFoundError(
            f"No module, function or class named {name!r}"
        ) from None


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _submodules(package: ModuleType) -> Iterator[ModuleType]:
    paths = getattr(package, "__path__", None)
    for found in pkgutil.walk_packages(paths or (), f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)
