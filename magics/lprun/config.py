"""line_profiler's configuration: ``[tool.line_profiler]`` in a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Config", "ConfigError", "boolean"]

# line_profiler's, of which a file overrides what it names.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "kernprof": {
        "line_by_line": False,
        "builtin": False,
        "rich": False,
        "skip_zero": False,
        "summarize": False,
        "preimports": True,
        "prof_imports": False,
        "verbose": 0,
        "outfile": "",
        "setup": "",
        "unit": 1e-6,
        "output_interval": 0,
        "prof_mod": [],
    },
    "cli": {
        "unit": 1e-6,
        "rich": False,
        "skip_zero": False,
        "sort": False,
        "summarize": False,
    },
    "setup": {
        "environ_flags": ["LINE_PROFILE"],
        "cli_flags": ["--line-profile", "--line_profile"],
    },
    "write": {
        "output_prefix": "profile_output",
        "lprof": True,
        "text": True,
        "timestamped_text": True,
        "stdout": True,
    },
    "show": {
        "sort": True,
        "stripzeros": True,
        "rich": True,
        "details": False,
        "summarize": True,
    },
    "column_widths": {"line": 6, "hits": 9, "time": 12, "perhit": 8, "percent": 8},
}

_FILES = ("line_profiler.toml", "pyproject.toml")


class ConfigError(ValueError):
    """A configuration cannot be read; the message is one line."""


@dataclass(frozen=True, slots=True)
class Config:
    """The tables of a configuration, defaults included; ``-`` in a key is ``_``.

    Attributes
    ----------
    path : Path or None
        The file that they are from; None for the defaults.
    tables : dict
        By name: kernprof, cli, setup, write, show, column_widths.
    """

    path: Path | None
    tables: dict[str, dict[str, Any]]

    @classmethod
    def find(cls, config: str | os.PathLike[str] | bool | None = None) -> Config:
        """Read a configuration.

        Parameters
        ----------
        config : path, bool or None
            A file; or None or True to look for one: the file that ``LINE_PROFILER_RC``
            names, else the nearest line_profiler.toml or pyproject.toml from the current
            folder upwards; or False for the defaults.

        Raises
        ------
        ConfigError
            A file that was named is not there, or is no TOML, or has values of a wrong
            type.
        """
        if config is False:
            return cls(None, _with_defaults({}))
        named = None if config is None or config is True else Path(config)
        if named is None and os.environ.get("LINE_PROFILER_RC"):
            named = Path(os.environ["LINE_PROFILER_RC"])
        if named is not None:
            try:
                return cls._read(named)
            except (OSError, tomllib.TOMLDecodeError, UnicodeError) as error:
                raise ConfigError(f"{os.fspath(named)!a}: {error}") from None
        for path in _candidates():
            try:
                return cls._read(path)
            except (OSError, tomllib.TOMLDecodeError, UnicodeError):
                continue
        return cls(None, _with_defaults({}))

    @classmethod
    def _read(cls, path: Path) -> Config:
        with open(path, "rb") as file:
            document = tomllib.load(file)
        try:
            return cls(path, _with_defaults(document))
        except ConfigError as error:
            raise ConfigError(f"{os.fspath(path)!a}: {error}") from None


def _candidates() -> Iterator[Path]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        for name in _FILES:
            yield folder / name


def _with_defaults(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    ours = _table(_table(document, "tool"), "line_profiler")
    tables = {}
    for name, defaults in _DEFAULTS.items():
        given = ours
        if name == "column_widths":
            given = _table(ours, "show")
        values = {
            key.replace("-", "_"): value for key, value in _table(given, name).items()
        }
        tables[name] = {
            key: _checked(f"{name}.{key}", default, values.get(key, default))
            for key, default in defaults.items()
        }
    return tables


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    table = parent.get(name, {})
    return table if isinstance(table, dict) else {}


def _checked(name: str, default: Any, value: Any) -> Any:
    """Check a value's type by that of the default; a list is a copy of its own."""
    if type(default) is int and isinstance(value, bool):
        return int(value)  # `verbose = true`
    kinds = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(
        default, bool
    ):
        raise ConfigError(
            f"tool.line_profiler.{name} must be like {default!r}, not {value!r}"
        )
    return list(value) if isinstance(value, list) else value


_WORDS = {
    **dict.fromkeys(("", "0", "off", "false", "f", "no", "n"), False),
    **dict.fromkeys(("1", "on", "true", "t", "yes", "y"), True),
}


def boolean(text: str, fallback: bool | None = None) -> bool:
    """Read yes or no as line_profiler does, in any case.

    Raises
    ------
    ValueError
        It is neither, and there is no `fallback`.
    """
    value = _WORDS.get(text.casefold(), fallback)
    if value is None:
        raise ValueError(f"yes or no, not {text!r}")
    return value
