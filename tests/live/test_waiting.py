"""What is shown while others run the code."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from nbprobe.live import LIVE, view_waiting
from nbprobe.live.display import Live
from nbprobe.live.waiting import Roll, Waiting

from ..views.gallery import HOSTILE
from ..views.sanitizer import removed


def waiting(**changes: Any) -> Waiting:
    fields: dict[str, Any] = {
        "elapsed_s": 12.0,
        "awaited": ("engine 2", "engine 10"),
        "answered": (("engine 1", 6.0), ("engine 0", 3.04)),
    }
    return Waiting(**(fields | changes))


def test_a_roll_says_who_has_answered() -> None:
    roll = Roll()
    assert roll.progress().awaited == ()
    roll.begin(["a", "b", "c"])
    roll.answered(["b"])
    roll.answered(["a", "b"])
    seen = roll.progress()
    assert seen.awaited == ("c",)
    assert [name for name, _ in seen.answered] == ["a", "b"]
    last, first = (seconds for _, seconds in seen.answered)
    assert 0 <= first <= last <= seen.elapsed_s <= roll.progress().elapsed_s


def test_the_text_says_all_of_it() -> None:
    bar = "█"
    assert view_waiting.text("%prun --engines", waiting()) == (
        "%prun --engines: 12.0 s, 2 of 4 engines answered\n"
        f"engine 2   {30 * bar}\n"
        f"engine 10  {30 * bar}\n"
        f"engine 1   {15 * bar} 6.0 s\n"
        f"engine 0   {8 * bar} 3.0 s"
    )


def test_many_are_counted() -> None:
    answered = tuple((f"engine {number}", 1.0) for number in range(63))
    text = view_waiting.text("%prun", waiting(awaited=("x",), answered=answered))
    assert text.splitlines()[0] == "%prun: 12.0 s, 63 of 64 engines answered"
    assert text.splitlines()[1].startswith("x ")
    assert text.splitlines()[-1] == "and 48 more"
    assert "and 48 more" in view_waiting.html("%prun", waiting(answered=answered[1:]))


def test_one_line_fits_the_terminal() -> None:
    line = view_waiting.one("%prun --engines", waiting(), 60)
    assert len(line) < 60
    assert line.startswith("%prun --engines: 12.0 s  2 of 4 engines answered")
    assert "waiting for engine 2, engine 10" in view_waiting.one("%", waiting(), 99)
    alone = waiting(awaited=("engine 0",), answered=())
    assert view_waiting.one("%memit", alone, 99).endswith("0 of 1 engine answered")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_safe(name: str) -> None:
    hostile = waiting(awaited=(HOSTILE[name],), answered=((HOSTILE[name], 1.0),))
    html = view_waiting.html(HOSTILE[name], hostile)
    assert removed(html) == []
    assert "<script" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", html)
    text = view_waiting.text(HOSTILE[name], hostile)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text.partition(":")[2])
    assert "\n" not in view_waiting.one("%x", hostile, 80)


def test_it_is_shown_like_any_run() -> None:
    texts: list[str] = []
    has_shown = threading.Event()

    class Shown:
        def begin(self) -> None:
            pass

        def show(self, magic: str, progress: Any) -> None:
            texts.append(view_waiting.text(magic, progress))
            has_shown.set()

        def end(self, note: str) -> None:
            texts.append(note)

    roll = Roll()
    roll.begin(["engine 0", "engine 1"])
    roll.answered(["engine 1"])
    with Live("%prun --engines", Shown(), 0.01, watcher=roll):
        assert has_shown.wait(90)
    assert len(texts) > 1
    assert all("1 of 2 engines answered" in text for text in texts[:-1])
    assert texts[-1] == ""
    assert LIVE not in {thread.name for thread in threading.enumerate()}
