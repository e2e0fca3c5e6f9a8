"""What code does to memory.

`memory_usage`, `TimeStamper` and `LogFile` take what memory_profiler's take;
``import nbprobe.memit as memory_profiler`` is all that has to change.
"""

from __future__ import annotations

from .processes import ProcessError
from .recording import Course, Recording, Span
from .stamps import TimeStamper
from .usage import LogFile, memory_usage

__all__ = [
    "Course",
    "LogFile",
    "ProcessError",
    "Recording",
    "Span",
    "TimeStamper",
    "memory_usage",
]
