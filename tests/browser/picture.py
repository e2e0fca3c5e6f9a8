"""Take the pictures of the README, docs/NAME.png and docs/NAME-dark.png.

``./dev picture`` takes all of them, ``./dev picture lprun why`` these. What they show is
measured as they are taken.
"""

from __future__ import annotations

import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lab
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"

# GitHub shows a README 830 pixels wide; this window's notebook is a little wider, and is
# taken with twice the pixels, for screens that have them.
WIDTH, SCALE = 1060, 2
COLOURS = 256
MOST_BYTES = 150_000

LIBRARY = """%load_ext nbprobe
import ast, io, re, sysconfig, tokenize
from pathlib import Path
library = Path(sysconfig.get_paths()["stdlib"])
sources = {path.name: path.read_text("utf-8", "replace")
           for path in sorted(library.glob("*.py"))}"""

REPORT = """import textwrap
from collections import Counter

def names_in(tree):
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Counter(node.id for node in nodes)

def outline(tree):
    return [ast.unparse(node.args) for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)]

def report(name):
    tree = ast.parse(sources[name])
    names = names_in(tree).most_common(500)
    text = ", ".join(f"{name}: {count}" for name, count in names)
    return outline(tree), textwrap.fill(text * 3, 60)"""

REPEATED = """def repeated(modules):
    seen, places = [], {}
    for name in modules:
        for line in sources[name].splitlines():
            line = line.strip()
            if len(line) < 40 or line.startswith("#"):
                continue
            if line not in seen:
                seen.append(line)
                places[line] = {name}
            else:
                places[line].add(name)
    return {line: names for line, names in places.items()
            if len(names) > 1}

modules = sorted(sources)[:20]"""

FRAME = """import pandas as pd
rows = [(name, number, text) for name, source in sources.items()
        for number, text in enumerate(source.splitlines(), 1)]
code_lines = pd.DataFrame(rows, columns=["module", "line", "text"])

def describe(lines):
    frame = lines.copy()
    frame["length"] = frame.text.str.len()
    frame["words"] = frame.text.str.split().str.len()
    frame["indent"] = frame.length - frame.text.str.lstrip().str.len()
    return frame.groupby("module")[["length", "words", "indent"]].mean()

describe(code_lines[:1000]);"""

CACHE = """parsed = {}

def find_classes(name):
    tree = parsed.setdefault(name, ast.parse(sources[name]))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]

class Report:
    def __init__(self, name):
        self.name, self.tree = name, parsed[name]

classes = find_classes("argparse.py")
reports = [Report("argparse.py")]
tree = parsed["argparse.py"]"""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture.

    Attributes
    ----------
    before : tuple of str
        Cells that run, and are not in it.
    cells : tuple of str
        Those that are.
    most : int
        How high it may be, in pixels of the page; what is below is cut off.
    width : int
        Of the window.
    """

    before: tuple[str, ...]
    cells: tuple[str, ...]
    most: int = 900
    width: int = WIDTH


SHOTS = {
    "timeit": Shot(
        (LIBRARY, 'source = sources["argparse.py"]'),
        (
            "%timeit source[1000]",
            "%timeit --vs \"source.count('\\n')\" len(source.splitlines())",
        ),
    ),
    "prun": Shot((LIBRARY, REPORT), ("%prun report('argparse.py')",), 780),
    "lprun": Shot((LIBRARY, REPEATED), ("%lprun repeated(modules)",)),
    "memit": Shot((LIBRARY, FRAME), ("%memit describe(code_lines)",), width=1260),
    "why": Shot(
        (LIBRARY, CACHE), ("%why tree", "%show_backrefs --max-depth 2 tree"), 1100
    ),
}

# Of the notebook, without what the mouse and the cursor would do.
STYLE = """
.jp-cell-toolbar, .jp-Collapser, .jp-CellHeader, .jp-CellFooter { display: none !important }
.jp-Cell { border-color: transparent !important; box-shadow: none !important }
.jp-Notebook * { caret-color: transparent !important }
"""


def main(names: list[str]) -> int:
    """Run the cells in both themes and save what JupyterLab shows."""
    unknown = [name for name in names if name not in SHOTS]
    reason = lab.why_not()
    if unknown:
        reason = f"no such picture: {', '.join(unknown)}; there are {', '.join(SHOTS)}"
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.server(Path(folder)) as jupyter,
        lab.browser(width=WIDTH, height=1000, scale=SCALE) as chromium,
    ):
        for name in names or SHOTS:
            for theme, ending in (("light", ""), ("dark", "-dark")):
                path = DOCS / f"{name}{ending}.png"
                if not take(jupyter, chromium, name, theme, path):
                    return 1
    return 0


def take(jupyter: lab.Lab, chromium: Any, name: str, theme: str, path: Path) -> bool:
    """Take one picture; False when a cell failed, or the file became too large."""
    shot = SHOTS[name]
    notebook = f"{name}-{theme}.ipynb"
    jupyter.write(notebook, lab.notebook(*shot.before, *shot.cells))
    page = jupyter.open(chromium, notebook, theme=theme)
    page.page.set_viewport_size({"width": shot.width, "height": 1000})
    page.run_all()
    shown = page.outputs()
    if not shown or any("error" in output.mime for output in shown):
        print(*(output.text for output in shown), sep="\n", file=sys.stderr)
        return False
    page.page.add_style_tag(content=STYLE)
    cells = page.page.locator(".jp-CodeCell").all()[len(shot.before) :]
    boxes = [cell.bounding_box() for cell in cells]
    # The window becomes as high as the notebook, so that nothing has to be scrolled.
    bottom = boxes[-1]["y"] + boxes[-1]["height"]
    page.page.set_viewport_size({"width": shot.width, "height": int(bottom) + 400})
    page.page.locator(".jp-CodeCell").first.scroll_into_view_if_needed()
    page.page.mouse.move(0, 0)
    boxes = [cell.bounding_box() for cell in cells]
    top = boxes[0]["y"]
    height = min(boxes[-1]["y"] + boxes[-1]["height"] - top, shot.most)
    clip = {key: boxes[0][key] for key in ("x", "width")} | {"y": top, "height": height}
    save(page.page.screenshot(clip=clip), path)
    page.close()
    size = path.stat().st_size
    print(f"{path} {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        print(f"{path}: more than {MOST_BYTES / 1000:.0f} kB", file=sys.stderr)
    return size <= MOST_BYTES


def save(png: bytes, path: Path) -> None:
    """Save a picture with few colours, which is a third of the size."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    # Other methods give up colours that are rare, such as that of one small bar.
    few = picture.quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
