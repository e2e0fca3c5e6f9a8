"""The options that ``%dis`` and ``nbprobe dis`` share."""

from __future__ import annotations

from ..options import Option

__all__ = ["CACHES", "DEPTH", "OFFSETS", "whole"]


def whole(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isdecimal():
        raise ValueError("a whole number from 0")
    return int(text)


CACHES = Option("caches", ("-C", "--show-caches"), "Show the inline caches.")
OFFSETS = Option("offsets", ("-O", "--show-offsets"), "Show the offsets.")
DEPTH = Option(
    "depth",
    ("--depth",),
    "Go N levels into functions, classes and comprehensions that are defined "
    "within [default: all].",
    "N",
    whole,
)
