"""The oracle itself: it refuses what was seen to be refused in JupyterLab."""

from __future__ import annotations

import pytest

from .sanitizer import removed


@pytest.mark.parametrize(
    "html",
    [
        "<style>p {}</style>",
        "<script>1</script>",
        "<svg><text>x</text></svg>",
        "<iframe srcdoc='x'></iframe>",
        "<object data='x'></object>",
        "<p onclick='x'></p>",
        "<p aria-label='x'></p>",
        "<p role='img'></p>",
        "<p data-x='1'></p>",
        "<p hidden></p>",
        "<p id='x'></p>",
        "<p style='color:var(--jp-ui-font-color1)'></p>",
        "<p style='color:var(--x, #888)'></p>",
        "<p style='color:currentColor'></p>",
        "<p style='color:inherit'></p>",
        "<p style='opacity:.5'></p>",
        "<p style='gap:1em'></p>",
        "<p style='position:fixed'></p>",
        "<p style='background:url(https://example.org/x)'></p>",
        "<img src='https://example.org/x.png'>",
        "<!-- x -->",
        "<p>",
        "</p>",
        "<p><b></p></b>",
    ],
)
def test_refuses(html: str) -> None:
    assert removed(html)


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color:#888; opacity:0.5; padding:0.1em 0'>x<br>y</p>",
        "<td style='border-bottom:1px solid rgba(1, 2, 3, 0.5)' colspan='2'>x</td>",
        "<img src='data:image/svg+xml;base64,x' alt='x' width='4' height='4'>",
        "<details open><summary title='x'>x</summary></details>",
        "<pre style='font-family:ui-monospace, Menlo, monospace'><bdi>&lt;x&gt;</bdi></pre>",
    ],
)
def test_keeps(html: str) -> None:
    assert removed(html) == []
