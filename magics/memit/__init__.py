"""What code does to memory."""

from __future__ import annotations
