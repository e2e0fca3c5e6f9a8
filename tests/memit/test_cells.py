"""%memwatch and %memlimit."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from nbprobe import _core

from ..cell.shells import Session, bare, session

__all__ = ["bare", "session"]

MIB = 2**20


def test_each_cell_has_a_line(session: Session) -> None:
    session.run("%memwatch on")
    ran = session.run("x = bytearray(50 * 2**20)")
    assert re.fullmatch(
        r"\[\d+\] .*s, resident \+[\d.]+ MiB \(peak \+[\d.]+ MiB\),"
        r" allocated [\d.]+ MiB, kept \+[\d.]+ MiB\n",
        ran.stdout,
    )
    ran = session.run("1 / 0")
    assert ran.stdout.count("allocated") == 1
    session.run("def f(): pass")
    table = session.run("%memwatch table").stdout
    assert table.splitlines()[1].endswith("x = bytearray(50 * 2**20)")
    session.run("%memwatch off")
    assert session.run("y = 1").stdout == ""
    assert _core.Allocations().active is False


def test_a_cell_beyond_the_limit_is_interrupted(session: Session) -> None:
    before = signal.getsignal(signal.SIGINT)
    limit = _core.resident() // MIB + 150
    session.run(f"%memlimit {limit}M")
    ran = session.run(
        "import time\ndata = []\nfor _ in range(3000):\n"
        "    data.append(bytearray(2**20))\n    time.sleep(0.001)"
    )
    assert type(ran.error).__name__ == "MemoryLimit"
    assert "the limit is" in str(ran.error) and isinstance(ran.error, MemoryError)
    assert 100 < len(session.names["data"]) < 1500
    session.run("data.clear()")
    assert session.run("z = 5").error is None
    assert session.names["z"] == 5
    session.run("%memlimit off")
    assert signal.getsignal(signal.SIGINT) == before
    assert not [t for t in threading.enumerate() if "memlimit" in t.name]


def test_what_is_large_is_named_with_all_that_it_leads_to(session: Session) -> None:
    limit = _core.resident() // MIB + 200
    session.run("import time, pandas, numpy\nspent = []")
    session.run("table = pandas.DataFrame({'a': numpy.ones(2**22)})")  # 32 MiB
    session.run(f"%memlimit {limit}M")
    ran = session.run(
        "def load():\n    rows = []\n    for _ in range(3000):\n"
        "        rows.append(bytearray(2**20))\n        time.sleep(0.001)\nload()"
    )
    message = str(ran.error)
    assert re.search(r"largest variables: rows in load \([\d.]+ MiB\)", message)
    assert "table (32 MiB)" in message and "spent" not in message
    session.run("%memlimit off")


def test_ctrl_c_is_still_ctrl_c(session: Session) -> None:
    session.run(f"%memlimit {_core.resident() // MIB + 1000}M")
    ran = session.run(
        "import signal\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(9)"
    )
    assert isinstance(ran.error, KeyboardInterrupt)
    session.run("%memlimit off")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%memlimit 1M", "%memlimit: 1 MiB is below what is in use"),
        ("%memlimit lots", "an amount of memory above 0, such as 512MB or 8G, or off"),
        ("%memwatch maybe", "%memwatch takes on, off or table"),
        ("%memwatch table", "nothing was watched yet"),
    ],
)
def test_wrong_use_is_one_line(session: Session, line: str, message: str) -> None:
    assert message in session.run(line).usage_error
