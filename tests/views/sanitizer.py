"""What JupyterLab leaves of an output in a notebook that is not trusted.

The rules are those of ``packages/apputils/src/sanitizer.ts`` in JupyterLab 4, narrowed: a tag,
attribute or style property that no view of ours needs is not listed, and a value must match
as a whole where the original lets some match in part. So what passes here passes there, and
what is refused here may only be something that a new view has to add after reading the
original.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["removed"]

TAGS = frozenset(
    "b bdi br code div em hr i img li meter ol p pre small span strong sub summary sup"
    " details table tbody td tfoot th thead tr u ul".split()
)
VOID = frozenset({"area", "br", "hr", "img"})
# What it takes out without a trace, at least the name of the map, without which the rest is
# nothing: an image map has tooltips, and no looks of its own.
UNSEEN = {
    "area": {"alt", "coords", "shape", "title"},
    "img": {"usemap"},
    "map": {"name"},
}

# class and id are allowed there, but mean nothing without a style sheet or a script.
ATTRIBUTES = {
    "*": {"dir", "lang", "style", "title"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "meter": {"high", "low", "max", "min", "value"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}

_NUMBER = r"[+-]?(\d*\.)?\d+"
_LENGTH = rf"({_NUMBER}(px|em|rem|ex|pt)|0)"
_EXTENT = rf"({_LENGTH}|{_NUMBER}%)"
_ONE = r"(1(\.0+)?|0(\.\d+)?)"  # with the zero before the point
_COLOUR = (
    r"(#[0-9a-f]+|rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)"
    rf"|rgba\(\s*\d{{1,3}}\s*,\s*\d{{1,3}}\s*,\s*\d{{1,3}}\s*,\s*{_ONE}\s*\)"
    "|transparent|black|white|gray|red|green|blue|orange)"
)
_LINE = "(none|hidden|dotted|dashed|solid|double)"
_BORDER = rf"((thin|medium|thick|{_LENGTH}|{_LINE}|{_COLOUR})\s*){{1,3}}"
_FAMILY = r"(\"[\w ]+\"|'[\w ]+'|-?[_a-z][_a-z0-9-]*)"
_SIDES = ("top", "right", "bottom", "left")
STYLES = {
    "background": _COLOUR,
    "background-color": _COLOUR,
    "border": _BORDER,
    "border-collapse": "collapse|separate",
    "border-radius": rf"({_EXTENT}\s*){{1,4}}",
    "color": _COLOUR,
    "cursor": "auto|default|help|pointer|text",
    "direction": "ltr|rtl",
    "display": "inline|block|inline-block|table|table-cell|flex|grid|none",
    "font-family": rf"{_FAMILY}(,\s*{_FAMILY})*",
    "font-size": rf"smaller|larger|small|medium|large|{_EXTENT}",
    "font-style": "normal|italic|oblique",
    "font-weight": "normal|bold|[1-9]00",
    "height": rf"{_EXTENT}|auto",
    "letter-spacing": rf"normal|{_LENGTH}",
    "line-height": rf"normal|{_NUMBER}|{_EXTENT}",
    "margin": rf"(({_EXTENT}|auto)\s*){{1,4}}",
    "max-height": rf"{_EXTENT}|none",
    "max-width": rf"{_EXTENT}|none",
    "min-width": _EXTENT,
    "opacity": _ONE,
    "overflow": "visible|hidden|scroll|auto",
    "overflow-wrap": "normal|break-word",
    "overflow-x": "visible|hidden|scroll|auto",
    "padding": rf"({_EXTENT}\s*){{1,4}}",
    "text-align": "left|right|center|justify",
    "text-decoration": "none|underline|overline|line-through",
    "unicode-bidi": "normal|embed|bidi-override",
    "vertical-align": "baseline|sub|super|top|middle|bottom",
    "white-space": "normal|pre|nowrap|pre-wrap|pre-line",
    "width": rf"{_EXTENT}|auto",
    "word-break": "normal|keep-all|break-all",
    **{f"border-{side}": _BORDER for side in _SIDES},
    **{f"margin-{side}": rf"{_EXTENT}|auto" for side in _SIDES},
    **{f"padding-{side}": _EXTENT for side in _SIDES},
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.removed: list[str] = []
        self.open: list[str] = []

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        if tag not in TAGS and tag not in UNSEEN:
            self.removed.append(f"<{tag}>")
        for name, value in attributes:
            self._attribute(tag, name, value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.removed.append(f"</{tag}> out of place")

    def handle_comment(self, data: str) -> None:
        self.removed.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.removed.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.removed.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self.removed.append(f"<?{data}>")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name in UNSEEN.get(tag, set()):
            return
        if name not in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()):
            self.removed.append(f"<{tag} {name}>")
        elif name == "style":
            self._style(tag, value)
        elif name == "src" and not value.startswith("data:image/"):
            # Kept by JupyterLab, but it needs the network.
            self.removed.append(f"<{tag} src={value!r}>")

    def _style(self, tag: str, style: str) -> None:
        for declaration in filter(None, (part.strip() for part in style.split(";"))):
            name, colon, value = (part.strip() for part in declaration.partition(":"))
            pattern = STYLES.get(name.lower(), "(?!)")
            if not colon or not re.fullmatch(pattern, value, re.IGNORECASE):
                self.removed.append(f"<{tag} style={declaration!r}>")


def removed(html: str) -> list[str]:
    """List what the sanitizer takes out of an output, or would have to repair in it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.removed + [f"<{tag}> not closed" for tag in reader.open]
