"""`profile`: the decorator that does nothing until ``LINE_PROFILE=1`` is set."""

from __future__ import annotations

import atexit
import contextlib
import io
import multiprocessing
import os
import sys
import warnings
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from .config import Config, ConfigError, boolean
from .profiler import LineProfiler

__all__ = ["GlobalProfiler", "install", "profile"]

F = TypeVar("F")

# The process that writes the results; its children know by it that they do not.
_OWNER = "LINE_PROFILER_OWNER_PID"


class GlobalProfiler:
    """A decorator that profiles when it was asked to, and shows the results at exit.

    It was asked to by the environment variable ``LINE_PROFILE`` or by the argument
    ``--line-profile`` of the program, or by `enable`.

    Parameters
    ----------
    config : path, bool or None
        Where the defaults are; see `Config.find`.

    Attributes
    ----------
    enabled : bool or None
        None until the first function is decorated.
    setup_config, write_config, show_config : dict
        What asks for it; which outputs are written; how they look.
    output_prefix : str
        What the names of the files begin with.

    See Also
    --------
    line_profiler.profile
    """

    def __init__(self, config: str | os.PathLike[str] | bool | None = None) -> None:
        found = Config.find(config)
        self._config = found.path
        self._profile: LineProfiler | None = None
        self._owner = 0
        self.enabled: bool | None = None
        self.setup_config = found.tables["setup"]
        self.write_config = found.tables["write"]
        self.output_prefix: str = self.write_config.pop("output_prefix")
        self.show_config = found.tables["show"]

    def _kernprof_overwrite(self, profile: LineProfiler | None) -> None:
        """Have a profiler of somebody else do the work, who shows the results too."""
        self._profile = profile
        self.enabled = True if profile is not None else None

    def enable(self, output_prefix: str | None = None) -> None:
        """Profile what is decorated from now on."""
        if _is_child():
            self.enabled = False
            return
        self._owner = os.getpid()
        os.environ[_OWNER] = str(self._owner)
        if self._profile is None:
            atexit.register(self.show)
            self._profile = LineProfiler()
        self.enabled = True
        if output_prefix is not None:
            self.output_prefix = output_prefix

    def disable(self) -> None:
        """Leave what is decorated from now on as it is."""
        self.enabled = False

    def __call__(self, func: F) -> F:
        """Give a wrapper that profiles; or `func` itself when profiling is off."""
        if self.enabled is None:
            if self._is_wanted():
                self.enable()
            else:
                self.disable()
        if not self.enabled or self._profile is None:
            return func
        return self._profile(func)  # type: ignore[no-any-return]

    def _is_wanted(self) -> bool:
        flags = self.setup_config["environ_flags"]
        return any(boolean(os.environ.get(flag, ""), True) for flag in flags) or any(
            flag in sys.argv for flag in self.setup_config["cli_flags"]
        )

    def show(self) -> None:
        """Write the outputs that `write_config` names; at exit this happens by itself."""
        if self._profile is None or self._owner not in (0, os.getpid()):
            return
        options: dict[str, Any] = {"config": self._config, **self.show_config}
        if self.write_config["stdout"]:
            self._profile.print_stats(**options)
        self._write_texts({**options, "rich": False, "details": True})
        if self.write_config["lprof"]:
            path = Path(f"{self.output_prefix}.lprof")
            self._profile.dump_stats(path)
            print(f"Wrote profile results to {path}")
            print(f"To view details run:\nnbprobe lprun -rtmz {path}")

    def _write_texts(self, options: dict[str, Any]) -> None:
        assert self._profile is not None
        paths = []
        if self.write_config["text"]:
            paths.append(Path(f"{self.output_prefix}.txt"))
        if self.write_config["timestamped_text"]:
            stamp = datetime.now().strftime("%Y-%m-%dT%H%M%S")
            paths.append(Path(f"{self.output_prefix}_{stamp}.txt"))
        if not paths:
            return
        stream = io.StringIO()
        self._profile.print_stats(stream, **options)
        for path in paths:
            path.write_text(stream.getvalue(), encoding="utf-8")
            print(f"Wrote profile results to {path}")


def _is_child() -> bool:
    """Whether this is a helper or a worker of multiprocessing."""
    if multiprocessing.parent_process() is not None:
        return True
    return any("multiprocessing" in word for word in sys.orig_argv[1:])


def _by_configuration() -> GlobalProfiler:
    try:
        return GlobalProfiler()
    except ConfigError as error:
        # A program that only imports the decorator is not to fail over that.
        warnings.warn(f"{error}; the defaults are used", stacklevel=2)
        return GlobalProfiler(config=False)


profile = _by_configuration()


def install(profiler: Any) -> None:
    """Have a profiler do the work of every decorator ``profile`` that is imported.

    Without one they do their own again.
    """
    decorators: list[Any] = [profile]
    with contextlib.suppress(ImportError):
        # Programs that import line_profiler's decorator are profiled too.
        decorators.append(import_module("line_profiler").profile)
    for decorator in decorators:
        decorator._kernprof_overwrite(profiler)
