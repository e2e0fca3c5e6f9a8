"""Strangers' names: harmless wherever they are shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprobe.views import names


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x00b", r"a\x00b"),
        ("\u202edrowssap", r"\u202edrowssap"),
        ("\ud800", r"\ud800"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u2028", r"\u2028"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("שלום مرحبا 名前 é 👩‍💻", "שלום مرحبا 名前 é 👩‍💻"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert names.clean(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_can_be_written_anywhere(text: str) -> None:
    shown = names.clean(text)
    shown.encode("utf-8")
    assert not {
        letter
        for letter in shown
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        and letter not in "\n\t"
    }
    assert names.clean(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x", "x"),
        ("  x = 1\ny = 2\n", "x = 1 …"),
        ("", ""),
        ("a\tb", "a b"),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert names.one_line(text) == shown


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("名前", 4), ("e\u0301", 1), ("é", 1), ("", 0)]
)
def test_width(text: str, columns: int) -> None:
    assert names.width(text) == columns


def test_pad() -> None:
    assert names.pad("名", 4) + "|" == "名  |"
    assert names.pad("7", 3, "right") == "  7"
    assert names.pad("long", 2) == "long"
