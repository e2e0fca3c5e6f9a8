"""What processes send of themselves, read with care: it may be anybody's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from .. import _core
from ..results import Result, parse

__all__ = ["About", "Message", "latest"]


class About(NamedTuple):
    """What a process says of itself beside its figures.

    Attributes
    ----------
    name : str
    taken_ns : int
        When the figures were taken, ns, by its clock.
    host : str
        The machine that it runs on; empty for a child on this one.
    """

    name: str
    taken_ns: int
    host: str


class Message:
    """A snapshot: its header, its records, and how many of that process came with it.

    Parameters
    ----------
    first, received : int
        Sequence number of the first one of the process that arrived, and how many did; 0
        for a file.
    content : bytes
    silent_ns : int
        For how long nothing more of it has arrived, by the clock here.
    is_connected : bool
        Whether it is still there to send more, as far as that is known.

    Raises
    ------
    ValueError
        If the content is damaged.
    """

    def __init__(
        self,
        first: int,
        received: int,
        content: bytes,
        silent_ns: int = 0,
        is_connected: bool = True,
    ) -> None:
        header, self.records = _core.read_snapshot(content)
        self.session, self.pid, self.parent, self.started_ns = header[:4]
        self.sequence, dropped, self.stage = header[4:]
        self.silent_ns = silent_ns
        self.is_connected = is_connected
        # A file stands for all that came before it; what was dropped never left.
        self.arrived = received or self.sequence - dropped
        self.lost = 0
        if received:
            self.lost = max(0, self.sequence - first + 1 - received - dropped)

    @property
    def has_figures(self) -> bool:
        """Whether the process had measured anything."""
        return len(self.records) > 1

    def about(self, session: int) -> About:
        """Give what the process says of itself, if it is of this session.

        Raises
        ------
        ValueError
            If it is not, or says something else.
        """
        if self.session != session or not self.records:
            raise ValueError("not of this profile")
        about = json.loads(self.records[0])
        if not isinstance(about, dict):
            raise ValueError("not an object")
        name, taken_ns = about.get("name"), about.get("taken_ns")
        host = about.get("host", "")
        if not (isinstance(name, str) and isinstance(host, str)):
            raise ValueError("not what a child says of itself")
        if type(taken_ns) is not int:
            raise ValueError("not when it said so")
        return About(name[:100], taken_ns, host[:100])

    def result(self) -> Result | None:
        """Give the figures; None where there are none yet.

        Raises
        ------
        ResultFileError
            If they are damaged.
        """
        return parse(self.records[1]) if self.has_figures else None


def latest(
    rows: Iterable[tuple[int, int, bytes, int, bool]],
) -> tuple[list[Message], int]:
    """Give the latest message of each process, and count those that were damaged.

    Parameters
    ----------
    rows : iterable of tuple
        What `Message` is made of.
    """
    found: dict[tuple[int, int], Message] = {}
    damaged = 0
    for row in rows:
        try:
            message = Message(*row)
        except ValueError:
            damaged += 1
            continue
        key = message.pid, message.started_ns
        if key not in found or message.sequence > found[key].sequence:
            found[key] = message
    return list(found.values()), damaged
