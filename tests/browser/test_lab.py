"""That the harness shows what a reader would see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lab
import pytest

MARKUP = "<b id='bold' style='color: #c00'>bold</b><svg><text>drawn</text></svg>"
SHOW = f"from IPython.display import HTML\nHTML({MARKUP!r})"


def test_a_cell_that_runs_is_trusted(jupyter: Any, chromium: Any) -> None:
    jupyter.write("run.ipynb", lab.notebook(SHOW))
    page = jupyter.open(chromium, "run.ipynb")
    page.run_all()
    (output,) = page.outputs()
    page.close()
    assert output.mime == "text/html"
    assert "<svg>" in output.html


def test_an_executed_notebook_of_somebody_else_is_not(
    jupyter: Any, chromium: Any
) -> None:
    bundle = {"text/html": MARKUP, "text/plain": "bold"}
    jupyter.write("theirs.ipynb", lab.notebook(SHOW, outputs=[bundle]))
    page = jupyter.open(chromium, "theirs.ipynb")
    (output,) = page.outputs()
    page.close()
    assert "bold" in output.text
    assert "<svg>" not in output.html


@pytest.mark.parametrize(("theme", "bright"), [("light", True), ("dark", False)])
def test_both_themes(
    jupyter: Any, chromium: Any, tmp_path: Path, theme: str, bright: bool
) -> None:
    jupyter.write(f"{theme}.ipynb", lab.notebook(SHOW))
    page = jupyter.open(chromium, f"{theme}.ipynb", theme=theme)
    page.screenshot(tmp_path / "page.png")
    colour = page.page.evaluate(
        "getComputedStyle(document.querySelector('.jp-NotebookPanel')).backgroundColor"
    )
    toasts = page.page.locator(".Toastify__toast").count()
    page.close()
    red = int(colour.removeprefix("rgb(").split(",")[0])
    assert (red > 127) is bright
    assert toasts == 0
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
