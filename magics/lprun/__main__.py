"""``python -m nbprobe.lprun`` is ``python -m line_profiler``."""

from __future__ import annotations

from . import main

main()
