"""The template environment: strict, escaping, and cleaning by itself."""

from __future__ import annotations

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from nbprobe.views import code, html

from .gallery import HOSTILE
from .sanitizer import removed


def test_values_are_escaped_and_cleaned() -> None:
    page = html.render(
        "views/page.html.j2", title="<b>'\"&\x1b\u202e\ud800", body="<i>"
    )
    assert r"<title>&lt;b&gt;&#39;&#34;&amp;\x1b\u202e\ud800</title>" in page
    assert "&lt;i&gt;" in page


def test_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'body' is undefined"):
        html.render("views/page.html.j2", title="x")


def test_unknown_template() -> None:
    with pytest.raises((TemplateNotFound, FileNotFoundError)):
        html.render("views/nothing.html.j2")


class TestCode:
    def test_colours_are_inline(self) -> None:
        shown = code.highlight("for x in 'a', 1: print(x)  # why")
        assert removed(f"<pre>{shown}</pre>") == []
        assert str(shown).count('<span style="color:') >= 5
        assert "class=" not in shown

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, text: str) -> None:
        shown = code.highlight(text)
        assert removed(f"<pre>{shown}</pre>") == []
        assert "<script" not in shown and "<img" not in shown

    def test_long_code_is_cut(self) -> None:
        assert code.excerpt("x\n" * 5_000).endswith("\n… and 4,980 more lines")
        assert len(code.excerpt("x" * 100_000)) <= 1_500

    def test_indentation_stays(self) -> None:
        assert code.excerpt("\n  if x:\n    y\n") == "  if x:\n    y"
