"""Pictures of references where they are used: in JupyterLab, light and dark, trusted or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lab
import pytest

from nbprobe.graphs.options import PictureOptions
from nbprobe.graphs.references import picture

LOAD = """%load_ext nbprobe
class Node:
    def __init__(self):
        self.children = []
tree = Node()
tree.children += [Node() for _ in range(30)]
leaf = tree.children[3]"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_who_ran_it_sees_a_picture_with_tooltips(
    jupyter: Any, chromium: Any, tmp_path: Path, theme: str
) -> None:
    name = f"references-{theme}.ipynb"
    jupyter.write(name, lab.notebook(LOAD, "%show_backrefs --sizes leaf"))
    page = jupyter.open(chromium, name, theme=theme)
    page.run_all()
    (output,) = page.outputs()
    image = page.page.locator(".jp-OutputArea-output img").first
    size = image.bounding_box()
    page.screenshot(tmp_path / f"{theme}.png")
    page.close()
    assert output.mime == "text/html"
    assert size is not None and size["width"] > 100 and size["height"] > 100
    titles = re.findall(r"<area [^>]*title=\"([^\"]+)\"", output.html)
    assert any(title.startswith("Node  at ") for title in titles)
    assert any(", with it " in title for title in titles)
    (used,) = re.findall(r"usemap=\"#([^\"]+)\"", output.html)
    assert f'<map name="{used}">' in output.html


class Node:
    def __init__(self) -> None:
        self.children: list[Node] = []


def test_a_reader_who_trusts_nobody_sees_the_picture(
    jupyter: Any, chromium: Any
) -> None:
    tree = Node()
    tree.children += [Node() for _ in range(30)]
    graph = picture([tree], False, PictureOptions(max_depth=2, sizes=True))
    bundle = graph._repr_mimebundle_()
    jupyter.write("references.ipynb", lab.notebook("", outputs=[bundle]))
    page = jupyter.open(chromium, "references.ipynb")
    (output,) = page.outputs()
    drawn = page.page.evaluate(
        "document.querySelector('.jp-OutputArea-output img').naturalWidth"
    )
    page.close()
    assert output.mime == "text/html"
    for part in (r"<img\b", r"<details\b", r"style="):
        sent = len(re.findall(part, bundle["text/html"]))
        assert len(re.findall(part, output.html)) == sent, part
    assert drawn > 100
    assert "20 more references: 20 Node by .children[...]" in output.html
    # The map is left without its picture, and says nothing.
    assert "Node  at" in bundle["text/html"]
    assert not re.search(r"\.\.\. {2}Node  at", output.text)
