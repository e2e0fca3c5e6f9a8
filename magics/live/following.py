"""Follow child processes while a block runs, if they are to be followed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .children import Children

__all__ = ["following"]


def following(
    children: Children | None, abandon: Callable[[], object]
) -> AbstractContextManager[None]:
    """Follow child processes during a block, if they are to be; see `Children.start`."""
    return nullcontext() if children is None else children.during(abandon)
