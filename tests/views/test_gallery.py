"""Every view, ordinary and hostile: as it was last looked at, and safe.

When a view is meant to look different, renew its golden files and look at them, in the
difference that git shows and in a browser::

    NBPROBE_RENEW_GOLDEN=1 python -m pytest tests/views/test_gallery.py

which also writes all of them one below the other to build/gallery.html.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nbprobe.results import Result
from nbprobe.views.html import page

from .gallery import GALLERY
from .gallery_dis import DIS
from .gallery_engines import ENGINES
from .gallery_heap import HEAP
from .gallery_memit import MEMIT
from .gallery_prun import PRUN
from .gallery_references import REFERENCES
from .gallery_sampled import SAMPLED
from .sanitizer import removed

GALLERY = GALLERY | DIS | ENGINES | HEAP | MEMIT | PRUN | REFERENCES | SAMPLED
GOLDEN = Path(__file__).parent / "golden"
RENEW = os.environ.get("NBPROBE_RENEW_GOLDEN") == "1"


@pytest.fixture(scope="module", autouse=True)
def sheet() -> None:
    if RENEW:
        parts = [
            f"<p>{name}</p>{make()._repr_mimebundle_()['text/html']}"
            for name, make in GALLERY.items()
        ]
        target = Path(__file__).parents[2] / "build" / "gallery.html"
        target.parent.mkdir(exist_ok=True)
        target.write_text(page("gallery", "<hr>".join(parts)), encoding="utf-8")


@pytest.fixture(params=GALLERY)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def result(name: str) -> Result:
    return GALLERY[name]()


@pytest.fixture
def text(result: Result, monkeypatch: pytest.MonkeyPatch) -> str:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    return str(result)


@pytest.fixture
def html(result: Result) -> str:
    return result._repr_mimebundle_()["text/html"]


def _compare(path: Path, shown: str) -> None:
    if RENEW:
        path.write_text(shown, encoding="utf-8", newline="\n")
    assert shown == path.read_text(encoding="utf-8"), f"{path.name} is out of date"


def _without_layout(html: str) -> str:
    """Take out where Graphviz puts things: that changes with its version and the fonts."""
    return re.sub(
        r'<img src="[^"]*" alt="[^"]*" width="\d+" height="\d+" usemap.*?</map>',
        lambda drawn: re.sub(
            r'(?<=src=")[^"]*|(?<=width=")\d+|(?<=height=")\d+|nbprobe-\w{8}|'
            r'(?<=coords=")[-\d,]+',
            "",
            drawn[0],
        ),
        html,
        flags=re.DOTALL,
    )


def test_text_is_golden(name: str, text: str) -> None:
    _compare(GOLDEN / f"{name}.txt", text + "\n")


def test_html_is_golden(name: str, html: str) -> None:
    _compare(GOLDEN / f"{name}.html", _without_layout(html) + "\n")


def test_no_golden_file_is_left_over() -> None:
    names = {f"{name}.{kind}" for name in GALLERY for kind in ("txt", "html")}
    assert {path.name for path in GOLDEN.iterdir()} == names


def test_untrusted_notebook_keeps_all_of_it(html: str) -> None:
    assert removed(html) == []


def test_size_is_bounded(text: str, html: str) -> None:
    assert len(html.encode()) <= 200_000
    assert len(text.encode()) <= 50_000


def test_nothing_obeys_control_characters(text: str, html: str) -> None:
    for shown in (text, html):
        bad = {
            letter
            for letter in shown
            if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(letter)
            in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")
        }
        assert bad <= {"\n"}


def test_pictures_are_drawings_with_words(html: str) -> None:
    for tag in re.findall("<img [^>]*>", html):
        assert re.search('alt="[^"]+"', tag)
        source = re.search('src="data:image/svg[+]xml;base64,([^"]+)"', tag)
        assert source is not None
        svg = base64.b64decode(source[1]).decode()
        # Well-formed, and everything in it is drawn from itself.
        root = ElementTree.fromstring(svg)
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert names <= {"svg", "rect", "path", "circle", "text", "g", "polygon"} | {
            "ellipse",
            "polyline",
        }
        assert "href" not in svg and "url(" not in svg
        assert "nan" not in svg.lower() and "inf" not in svg.lower()


def test_figures_of_the_text_are_in_the_html(text: str, html: str) -> None:
    if "function calls" in text:
        return  # the table of pstats, to the letter: it writes figures in its own way
    # Everything but the columns of a table, which text aligns by spaces.
    words = re.sub(r"\s+", " ", _as_text(html))
    if text.startswith("Timer unit:"):
        # line_profiler's table has units of its own; of long ones HTML shows less.
        rows = re.findall(r"^ *(\d+) +(\d+)(?= +[\d.e+]+ +[\d.e+]+ +\d)", text, re.M)
        for number, hits in rows if len(rows) < 50 else ():
            assert re.search(rf"\b{number} +{int(hits):,} ", words)
        return
    for word in re.findall(r"\d[\d.,]*", text):
        assert word.strip(",.") in words


def _as_text(html: str) -> str:
    from html import unescape

    return unescape(re.sub("<[^>]+>", " ", html.replace("</span>", "")))


def test_standalone_page(result: Result, tmp_path: Path, html: str) -> None:
    result.to_html(tmp_path / "page.html")
    content = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html in content
    assert "default-src 'none'" in content
    assert not re.search(r"""(src|href)=["']?(https?:)?//|<script""", content)
