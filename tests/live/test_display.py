"""What a run shows while it goes on, and that nothing of it stays."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nbprobe import _core
from nbprobe.live import LIVE, display, view
from nbprobe.live.display import Live
from nbprobe.live.progress import Gap, Place, Progress, Watch

from ..cell.shells import Session, bare, session
from ..patience import at_best, spin, spin_until, wait_until
from ..views.gallery import HOSTILE
from ..views.sanitizer import removed

__all__ = ["bare", "session"]


def progress(**changes: Any) -> Progress:
    fields: dict[str, Any] = {
        "elapsed_s": 12.34,
        "resident": (10 << 20, 20 << 20, 80 << 20, 40 << 20),
        "peak": 80 << 20,
        "now": Place("step", "train.py:31", "loss = model(batch)", 0.0),
        "hottest": (
            Place("step", "train.py:31", "loss = model(batch)", 0.61),
            Place("load", "data.py:7", "", 0.2),
        ),
        "gaps": (Gap(5.8, Place("held", "x.py:2", "sum(range(n))", 0.0)),),
    }
    return Progress(**(fields | changes))


def test_the_text_says_all_of_it() -> None:
    assert view.text("%prun", progress()) == (
        "%prun: 12.3 s, 40 MiB resident, at most 80 MiB  ▁▂█▄\n"
        "now      step (train.py:31): loss = model(batch)\n"
        "  61 %   step (train.py:31): loss = model(batch)\n"
        "  20 %   load (data.py:7)\n"
        "one call kept the interpreter for 5.8 s: held (x.py:2): sum(range(n))"
    )


def test_one_line_fits_the_terminal() -> None:
    line = view.one("%prun", progress(), 60)
    assert len(line) < 60 and line.startswith("%prun: 12.3 s  40 MiB ▁▂█▄")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_safe(name: str) -> None:
    text = HOSTILE[name]
    place = Place(text, text, text, 0.5)
    wild = progress(now=place, hottest=(place,), gaps=(Gap(1.0, place),))
    markup = view.html(text, wild)
    assert removed(markup) == []
    assert "<script" not in markup
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", view.text("%x", wild))
    assert "\n" not in view.one("%x", wild, 80)


def test_nothing_is_known() -> None:
    empty = Progress(0.0, (), 0, None, (), ())
    assert view.text("%prun", empty) == "%prun: 0.0 s"
    assert removed(view.html("%prun", empty)) == []


@at_best
def test_a_watch_knows_the_line_and_the_memory() -> None:
    watch = Watch(threading.get_ident())
    spin(0.3)
    seen = watch.progress()
    watch.close()
    watch.close()
    assert seen.now is not None and seen.now.function == "spin"
    assert seen.hottest[0].function == "spin"
    assert sum(place.share for place in seen.hottest) == pytest.approx(1)
    assert seen.resident and seen.peak >= max(seen.resident)
    assert seen.elapsed_s > 0.29


@at_best
def test_a_gap_is_explained_by_the_line_that_ran() -> None:
    watch = Watch(threading.get_ident())
    begin = time.perf_counter()
    sorted(range(1_000_000), key=str)
    watch.missed(time.perf_counter() - begin)
    seen = watch.progress()
    watch.close()
    assert seen.gaps[0].place.text == "sorted(range(1_000_000), key=str)"


class Shown:
    """Keeps what a display would show."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.note: str | None = None

    def begin(self) -> None:
        pass

    def show(self, magic: str, progress: Progress) -> None:
        self.texts.append(view.text(magic, progress))

    def end(self, note: str) -> None:
        self.note = note


def test_updates_until_the_end_and_no_thread_after_it() -> None:
    shown = Shown()
    with Live("%prun", shown, 0.1):
        spin_until(lambda: len(shown.texts) > 1)
    assert "spin" in shown.texts[-1]
    assert shown.note == ""
    assert LIVE not in {thread.name for thread in threading.enumerate()}


def test_a_short_run_shows_nothing() -> None:
    shown = Shown()
    with Live("%prun", shown, 5.0):
        pass
    assert shown.texts == [] and shown.note == ""


def test_an_exception_passes_and_is_named() -> None:
    shown = Shown()
    with pytest.raises(KeyboardInterrupt), Live("%prun", shown, 0.05):
        spin_until(lambda: shown.texts)
        raise KeyboardInterrupt
    assert shown.note is not None
    assert re.match(r"%prun: ended by KeyboardInterrupt after \d", shown.note)
    assert LIVE not in {thread.name for thread in threading.enumerate()}


def test_a_display_that_breaks_does_not_break_the_run() -> None:
    tried = []

    class Broken(Shown):
        def show(self, magic: str, progress: Progress) -> None:
            tried.append(1)
            raise OSError("gone")

    with Live("%prun", Broken(), 0.05):
        wait_until(lambda: tried)


class Terminal(io.StringIO):
    """A terminal that keeps what it was sent."""

    encoding = "ascii"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_rubbed_out(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, stdout = Terminal(), Terminal()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    monkeypatch.setattr(sys, "stdout", stdout)
    session.shell.run_line_magic("config", "LiveDisplay.after = 0.1")
    with display.live(session.shell, "%prun"):
        spin_until(lambda: "spin" in terminal.getvalue())
    written = terminal.getvalue()
    assert "%prun: " in written and " s  " in written
    assert "\n" not in written
    assert written.endswith("\r\x1b[K")


def test_nothing_is_shown_where_nobody_looks(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    session.run("%config LiveDisplay.after = 0.05")
    session.run("import time")
    ran = session.run("%prun -l 1 time.sleep(0.3)")
    assert "resident" not in ran.stdout + ran.stderr
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("option", ["-q", "--no-live"])
def test_it_can_be_turned_off(
    option: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[bool] = []
    monkeypatch.setattr(display, "_target", lambda shell: wanted.append(True))
    for magic in ("prun", "prun --mem", "timeit", "lprun", "memit", "mprun"):
        session.run(f"%{magic} {option} pass")
    assert wanted == []
    session.run("%prun pass")
    assert wanted == [True]
    session.run("%config LiveDisplay.enabled = False")
    session.run("%prun pass")
    assert wanted == [True]


def test_profiles_leave_out_who_shows_them() -> None:
    from nbprobe.prun import Profile

    with Live("%prun", Shown(), 0.05), Profile() as profile:
        spin(0.4)
        profile.disable()
        result = profile.result()
    assert LIVE not in {thread.name for thread in result.threads}


def test_only_used_files_are_kept_open(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(20):
        with Live("%prun", Shown(), 1.0):
            pass
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before) + 1


@pytest.mark.parametrize("level", [_core.ALLOCATIONS_COUNTS, _core.ALLOCATIONS_SITES])
def test_what_the_display_allocates_is_not_counted(level: int) -> None:
    class Greedy(Shown):
        def show(self, magic: str, progress: Progress) -> None:
            super().show(magic, progress)
            self.texts.append(" " * 1_000_000)
            if len(self.texts) > 5:
                enough.set()

    # Waiting for it allocates nothing, however long it takes.
    enough = threading.Event()
    shown = Greedy()
    with Live("%memit", shown, 0.02), _core.Allocations(level) as counted:
        assert enough.wait(90)
    assert shown.texts[1].isspace()
    # Threads of whoever runs the tests may have allocated a little.
    assert counted.allocated_bytes < 500_000


def test_what_the_display_frees_is_counted() -> None:
    blocks = [[bytes(1_000_000)]]

    class Freeing(Shown):
        def show(self, magic: str, progress: Progress) -> None:
            blocks[0].clear()

    with _core.Allocations() as counted:
        blocks[0] = [bytes(2_000_000)]
        with Live("%memit", Freeing(), 0.02):
            while blocks[0]:
                time.sleep(0.01)
        freed = counted.freed_bytes
        # The next thread with these counters is counted again.
        thread = threading.Thread(target=lambda: bytes(3_000_000))
        thread.start()
        thread.join()
    assert freed >= 2_000_000
    assert counted.allocated_bytes >= 5_000_000
