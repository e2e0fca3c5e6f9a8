"""``python -m nbprobe.dis`` is ``python -m dis``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
