"""What a user pastes into a bug report."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

import nbprobe

SAID = (
    "nbprobe",
    "python",
    "system",
    "compiler",
    "options",
    "headers",
    "graphviz",
    "zeromq",
)


def test_says_what_decides_about_a_report() -> None:
    config = nbprobe.build_config()
    assert [name for name in SAID if not config.get(name)] == []
    assert config["nbprobe"] == nbprobe.__version__
    assert config["python"].startswith(f"CPython {platform.python_version()} ")


@pytest.mark.parametrize("library", ["graphviz", "zeromq"])
def test_names_the_library_that_is_loaded(library: str) -> None:
    assert re.match(r"\d+\.\d+\.\d+", nbprobe.build_config()[library])


def test_compiled_for_the_python_that_runs() -> None:
    headers = nbprobe.build_config()["headers"].split(".")
    assert headers[:2] == platform.python_version().split(".")[:2]


def test_a_package_that_is_missing_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib.metadata import PackageNotFoundError

    def no_package(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(
        sys.modules[nbprobe.build_config.__module__], "version", no_package
    )
    assert nbprobe.build_config()["jinja2"] == "not installed"


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbprobe", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shown = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert shown["nbprobe"].strip() == nbprobe.__version__
    assert set(SAID) <= shown.keys()
