"""``python -m nbprobe.prun`` is ``python -m cProfile``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
