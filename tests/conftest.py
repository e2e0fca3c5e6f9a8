"""What holds for every test."""

from __future__ import annotations

import signal

from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and Python keeps
# it so: the tests of an interrupt would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example may take says more of the machine than of us.
settings.register_profile("nbprobe", deadline=None)
settings.load_profile("nbprobe")
