"""Names and code of strangers made safe to show, in text, HTML and SVG alike.

Escaping for markup is the templates' work. What is done here is needed in plain text too:
a name must not move the cursor, turn the direction of the line that it stands in, or make
the output impossible to encode.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean", "one_line", "pad", "shorten", "width"]

# C0 and C1 controls (a terminal obeys them), separators that break lines, marks that turn
# the direction of what follows, lone surrogates (not encodable) and what XML forbids.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)


def clean(text: str) -> str:
    r"""Give `text` with its dangerous characters written as escapes, as ``repr`` does.

    Newlines and tabs stay. Letters of right-to-left scripts stay too: only the invisible
    characters that override the direction are shown, as in ``\u202e``.
    """
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def one_line(text: str, limit: int = 60) -> str:
    """Give a clean form of `text` that fits in one table cell."""
    lines = text.strip().splitlines() or [""]
    line = clean(lines[0].replace("\t", " "))
    if len(lines) > 1:
        line += " …"
    return shorten(line, limit)


def shorten(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` characters, the last of them saying that it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def width(text: str) -> int:
    """Count the columns that `text` takes where letters have a fixed width."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else _columns(letter) for letter in text
    )


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def pad(text: str, columns: int, align: str = "left") -> str:
    """Fill `text` with spaces to `columns` columns, aligned ``'left'`` or ``'right'``."""
    space = " " * (columns - width(text))
    return space + text if align == "right" else text + space
