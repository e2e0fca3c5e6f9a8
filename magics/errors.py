"""The errors that nbprobe raises on its own account, each with a one-line message."""

from __future__ import annotations

__all__ = [
    "EnginesError",
    "MissingPackageError",
    "NbprobeError",
    "ResultFileError",
    "SamplingError",
    "leave_out_frame",
]


class NbprobeError(RuntimeError):
    """Base of every error of nbprobe's own.

    What the measured code raises is never wrapped in it: it reaches the caller as it is.
    """


class ResultFileError(NbprobeError):
    """A file is not a result that this version of nbprobe can read."""


class MissingPackageError(NbprobeError, ImportError):
    """An optional package that the call needs is not installed."""


class SamplingError(NbprobeError):
    """The stacks of threads cannot be read here; the message says why."""


class EnginesError(NbprobeError):
    """No engine can be reached, or none gave a result; the message says why."""


def leave_out_frame(error: BaseException) -> None:
    """Take the frame that caught an error, and raises it again, out of its traceback.

    IPython shows hidden frames too of a syntax error, and where they are the last.
    """
    trace = error.__traceback__
    error.__traceback__ = trace and trace.tb_next
