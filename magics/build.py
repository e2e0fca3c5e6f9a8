"""What to paste into a bug report."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from . import _core

_PACKAGES = ("IPython", "ipykernel", "jinja2", "pygments", "pyzmq", "numpy", "pandas")


def build_config() -> dict[str, str]:
    """Say how nbprobe was built and what it runs with.

    Returns
    -------
    dict of str to str
        nbprobe's version; the compiler and its options; Python, the system and the
        libraries as loaded in this process (Graphviz after a trial drawing, ZeroMQ by
        ``zmq_version()``); and the versions of the packages that matter to a report,
        ``'not installed'`` where one is missing.

    Examples
    --------
    >>> import nbprobe
    >>> nbprobe.build_config()["nbprobe"] == nbprobe.__version__
    True
    """
    config = {
        "nbprobe": _core.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}"
        f" ({sys.executable})",
        "system": platform.platform(),
    }
    config |= _core.build_config()
    for package in _PACKAGES:
        try:
            config[package] = version(package)
        except PackageNotFoundError:
            config[package] = "not installed"
    return config
