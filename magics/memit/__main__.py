"""``python -m nbprobe.memit`` is ``python -m memory_profiler``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
