"""Named runs: kept for a session, found again, and what is said when they are not there."""

from __future__ import annotations

import ast
import io
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from IPython.core import page

from nbprobe.options import OptionError
from nbprobe.output import show
from nbprobe.prun import Profile, ProfileResult
from nbprobe.results import Result
from nbprobe.runs import Runs, runs_of

from .shells import Session, bare, session

__all__ = ["bare", "session"]


@dataclass(frozen=True, slots=True)
class Plain(Result):
    value: int


@dataclass(frozen=True, slots=True)
class Other(Result):
    value: int


def test_a_name_gives_what_it_was_kept_for_last() -> None:
    runs = Runs()
    assert runs.keep("a", Plain(1)) is None
    assert runs.keep("a", Plain(2)) == Plain(1)
    assert runs.find("a", Plain) == Plain(2)


def test_every_class_has_its_own_names() -> None:
    runs = Runs()
    runs.keep("a", Plain(1))
    assert runs.keep("a", Other(2)) is None
    assert (runs.get("a", Plain), runs.get("a", Other)) == (Plain(1), Other(2))
    assert runs.names(Plain) == ["a"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    runs = Runs()
    with pytest.raises(OptionError, match="no run 'a' yet: keep one with --name a"):
        runs.find("a", Plain)
    runs.keep("before", Plain(1))
    runs.keep("x", Plain(1))
    with pytest.raises(OptionError, match=r"only before, x; did you mean before\?"):
        runs.find("befor", Plain)


def test_a_file_is_found_too(tmp_path: Path) -> None:
    result = Profile().result()
    result.save(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("what")
    runs = Runs()
    assert runs.find(str(tmp_path / "a.json"), ProfileResult) == result
    with pytest.raises(OptionError, match="that file holds a ProfileResult; a Plain"):
        runs.find(str(tmp_path / "a.json"), Plain)
    with pytest.raises(OptionError, match="not JSON"):
        runs.find(str(tmp_path / "b.json"), Plain)


def test_the_session_keeps_them_until_it_is_left(session: Session) -> None:
    runs_of(session.shell).keep("a", Plain(1))
    assert runs_of(session.shell).names(Plain) == ["a"]
    session.run("%unload_ext nbprobe")
    assert not any(name.startswith("_nbprobe") for name in vars(session.shell))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_longer_than_a_terminal_goes_to_the_pager(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged: list[str] = []
    monkeypatch.setattr(page, "page", paged.append)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setenv("LINES", "20")
    monkeypatch.setenv("COLUMNS", "80")
    with Profile() as profile:
        ast.unparse(ast.parse("def f(x): return [y for y in x]"))
    long = profile.result()
    assert str(long).count("\n") > 20
    # GIVEN a terminal and a file
    for stream, long_goes_to_pager in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        # WHEN a long and a short result are shown
        show(session.shell, long)
        show(session.shell, replace(long, limits=("3",)))
        # THEN the pager has the long one, of the terminal
        assert paged == ([str(long)] if long_goes_to_pager else [])
        assert stream.getvalue().count("Ordered by") == 2 - len(paged)
        paged.clear()
