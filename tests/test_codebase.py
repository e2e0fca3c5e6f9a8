"""The project's conventions, as far as a program can see them.

What ``./dev lint`` runs: each check prints what the tool said about the violation.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbprobe
from nbprobe import _core

ROOT = Path(__file__).parents[1]
PYTHON_FOLDERS = {"magics": "nbprobe", "graphs": "nbprobe/graphs"}
PACKAGE_SUFFIXES = {".py", ".pyi", ".j2", ".typed"}

# Everything else must work, and be importable, where there is no IPython.
KNOWS_IPYTHON = {"registry.py", "cell.py", "magic.py", "output.py"}


def c_files() -> list[Path]:
    return sorted(p for f in ("csrc", "tests/c") for p in (ROOT / f).rglob("*.[ch]"))


def package_files() -> Iterator[tuple[Path, str]]:
    """Each file of the package, and where it belongs below site-packages."""
    for folder, package in PYTHON_FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in PACKAGE_SUFFIXES and "__pycache__" not in path.parts:
                yield path, f"{package}/{path.relative_to(ROOT / folder).as_posix()}"


def python_modules() -> list[Path]:
    return [path for path, _ in package_files() if path.suffix == ".py"]


def build_folder() -> Path:
    """Where the editable install that is being tested was built."""
    assert _core.__file__ is not None
    return Path(_core.__file__).parents[1]


def check(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, "\n" + done.stdout


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- Formatting and types -------------------------------------------------------------


@pytest.mark.source
def test_c_is_formatted() -> None:
    clang_format = Path(sysconfig.get_path("scripts")) / "clang-format"
    check(clang_format, "--dry-run", "--Werror", *c_files())


@pytest.mark.source
def test_python_is_formatted() -> None:
    check(sys.executable, "-m", "ruff", "format", "--check", "--diff", ".")


@pytest.mark.source
def test_ruff_finds_nothing() -> None:
    check(sys.executable, "-m", "ruff", "check", "--output-format=concise", ".")


@pytest.mark.source
@pytest.mark.skipif(not shutil.which("cppcheck"), reason="cppcheck is not installed")
def test_cppcheck_finds_nothing() -> None:
    check(
        "cppcheck",
        "--quiet",
        "--std=c11",
        "--enable=warning,performance,portability",
        "--inline-suppr",
        "--error-exitcode=1",
        "--library=python",
        "-Icsrc/core",
        "-Icsrc/py",
        "csrc",
    )


@pytest.fixture(scope="module")
def typing_folder() -> Path:
    """A package of links to our folders: mypy does not see editable installs."""
    folder = ROOT / "build" / "typing"
    shutil.rmtree(folder, ignore_errors=True)
    for path, installed in package_files():
        link = folder / installed
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return folder


@pytest.mark.source
def test_types_are_strict(typing_folder: Path) -> None:
    check(sys.executable, "-m", "mypy", "-p", "nbprobe", MYPYPATH=str(typing_folder))


def test_stubs_agree_with_the_extension(tmp_path: Path) -> None:
    # The stub by itself: with the package, all that it imports would be read as well.
    package = tmp_path / "nbprobe"
    package.mkdir()
    (package / "__init__.pyi").touch()
    (package / "_core.pyi").symlink_to(ROOT / "magics" / "_core.pyi")
    check(
        sys.executable,
        "-m",
        "mypy.stubtest",
        "nbprobe._core",
        MYPYPATH=str(tmp_path),
    )


# --- C --------------------------------------------------------------------------------


def test_core_does_not_know_python() -> None:
    knowing = [
        relative(path)
        for path in (ROOT / "csrc/core").iterdir()
        if re.search(r"#\s*include\s*[<\"]Python\.h", path.read_text())
    ]
    assert knowing == []


def test_core_has_two_writable_globals() -> None:
    """Graphviz is one to the process, and so is SIGTERM. Other state has an owner."""
    library = build_folder() / "csrc" / "libnbprobe-core.a"
    table = subprocess.run(
        ["nm", "--format=posix", library], capture_output=True, text=True, check=True
    ).stdout
    symbols = [line.split() for line in table.splitlines()]
    writable = {s[0] for s in symbols if len(s) > 1 and s[1] in "bBdDC"}
    assert writable == {"nbp_gv_lock", "nbp_lastword"}


def test_versions_are_told_apart_in_one_header() -> None:
    asking = {relative(p) for p in c_files() if "PY_VERSION_HEX" in p.read_text()}
    assert asking == {"csrc/py/compat.h"}


def test_every_c_file_names_its_licence() -> None:
    first = "/* SPDX-License-Identifier: BSD-3-Clause */\n"
    without = [relative(p) for p in c_files() if not p.read_text().startswith(first)]
    assert without == []


# --- The package ----------------------------------------------------------------------


def test_version_is_written_once() -> None:
    written = re.search(
        r"^  version: '(.+)',$", (ROOT / "meson.build").read_text(), re.M
    )
    assert written is not None
    version = written[1]
    assert nbprobe.__version__ == version
    elsewhere = [
        relative(path)
        for path in [*c_files(), *python_modules(), ROOT / "pyproject.toml"]
        if re.search(rf"[\"']{re.escape(version)}[\"']", path.read_text())
    ]
    assert elsewhere == []


def test_every_file_is_installed() -> None:
    """A file that no meson.build lists works in the tree and is missing in the wheel."""
    plan = json.loads((build_folder() / "meson-info/intro-installed.json").read_text())
    listed = {source for source in plan if Path(source).suffix in PACKAGE_SUFFIXES}
    present = {str(path): installed for path, installed in package_files()}
    assert listed == present.keys()
    misplaced = {
        source: plan[source]
        for source, installed in present.items()
        if not plan[source].endswith("/" + installed)
    }
    assert misplaced == {}


@functools.cache
def imports_at_run_time(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a module, but for those under ``if TYPE_CHECKING``."""
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    found: list[ast.Import | ast.ImportFrom] = []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return found


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The absolute module names; none for a relative import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if node.level == 0 and node.module else []


def importers(package: str) -> set[Path]:
    return {
        path
        for path in python_modules()
        for node in imports_at_run_time(path)
        for name in imported(node)
        if name.split(".")[0] == package
    }


def test_only_the_notebook_side_imports_ipython() -> None:
    strangers = {
        relative(p) for p in importers("IPython") if p.name not in KNOWS_IPYTHON
    }
    assert strangers == set()


def test_imports_within_the_package_are_relative() -> None:
    """From the root ``import magics`` finds the folder, as a second, broken package."""
    absolute = {
        relative(p) for name in ("nbprobe", "magics", "graphs") for p in importers(name)
    }
    assert absolute == set()
