"""``python -m nbprobe.timeit`` is ``python -m timeit``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
