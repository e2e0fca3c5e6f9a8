"""Start measuring in a child process, before its first line.

This folder stands first in PYTHONPATH while a profile with ``--children`` runs, and in the
environment that a `Collector` gives, and only then. What Python would have imported under
this name without us is imported here.
"""

import importlib
import os
import sys


def _make_way() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    ours = sys.modules.pop(__name__, None)
    try:
        importlib.import_module("sitecustomize")  # another one, now
    except ImportError:
        if ours is not None:
            sys.modules[__name__] = ours


def _start() -> None:
    try:
        child = importlib.import_module("nbprobe.live.child")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    else:
        child.boot()
        return
    # Nothing of nbprobe is here to send it with: a note in the private folder.
    folder = os.environ.get("NBPROBE_CHILDREN")
    if not folder:
        # Nor is there a folder: who wants to know is on another machine.
        if sys.stderr is not None:
            print(f"nbprobe: this process is not profiled: {reason}", file=sys.stderr)
        return
    try:
        with open(os.path.join(folder, f"{os.getpid()}.note"), "x") as file:
            file.write(f"{sys.executable}: {reason}")
    except OSError:
        pass  # the profile is over


_make_way()
if "NBPROBE_CHILDREN" in os.environ or "NBPROBE_COLLECTOR" in os.environ:
    _start()
