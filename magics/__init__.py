"""A profiler that lives in the notebook.

``%load_ext nbprobe`` registers its magics; everything else is imported when it is first
used, so that this module costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "build_config", "load"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ._core import __version__

        return __version__
    if name == "build_config":
        from .build import build_config

        return build_config
    if name == "load":
        from .results import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register nbprobe's magics with `shell`; what ``%load_ext nbprobe`` calls."""
    from . import registry

    registry.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Give the magics that were there before back; what ``%unload_ext nbprobe`` calls."""
    from . import registry

    registry.unload(shell)
