"""Source code in colours that read on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from .colours import AMBER, BLUE, GREEN, GREY, MAGENTA, TEAL, VIOLET
from .names import clean, shorten

if TYPE_CHECKING:
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter

__all__ = ["excerpt", "highlight", "highlight_lines"]

_LINES = 20
_LETTERS = 1500


def excerpt(source: str) -> str:
    """Give the beginning of some code, saying how many lines were left out."""
    lines = clean(source).strip("\n").split("\n")
    text = shorten("\n".join(lines[:_LINES]), _LETTERS)
    if len(lines) > _LINES:
        text += f"\n… and {len(lines) - _LINES:,} more lines"
    return text


def highlight(source: str) -> Markup:
    """Give code as HTML, coloured by inline styles."""
    import pygments
    from markupsafe import Markup
    from pygments.lexers.python import PythonLexer

    lexer = PythonLexer(stripnl=False, ensurenl=False)
    return Markup(pygments.highlight(excerpt(source), lexer, _formatter()).rstrip("\n"))


def highlight_lines(lines: Sequence[str], letters: int = 160) -> list[Markup]:
    """Give lines of code as HTML, each by itself, coloured as the whole that they are.

    Parameters
    ----------
    lines : sequence of str
    letters : int
        Longer lines are cut.
    """
    import pygments
    from markupsafe import Markup
    from pygments.lexers.python import PythonLexer

    source = "\n".join(
        shorten(clean(line.rstrip()).replace("\n", " "), letters) for line in lines
    )
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    # The formatter ends its tags at each line's end.
    coloured = pygments.highlight(source, lexer, _formatter()).split("\n")
    return [Markup(line) for line in coloured[: len(lines)]]


@cache
def _formatter() -> HtmlFormatter[str]:
    from pygments.formatters import HtmlFormatter
    from pygments.style import Style
    from pygments.token import Token

    class MidTones(Style):
        styles = {  # noqa: RUF012
            Token.Comment: f"italic {GREY}",
            Token.Keyword: VIOLET,
            Token.Operator.Word: VIOLET,
            Token.Name.Builtin: TEAL,
            Token.Name.Function: BLUE,
            Token.Name.Class: BLUE,
            Token.Name.Decorator: AMBER,
            Token.Literal.String: GREEN,
            Token.Literal.Number: MAGENTA,
        }

    return HtmlFormatter(style=MidTones, noclasses=True, nowrap=True)
