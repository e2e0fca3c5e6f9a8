"""Take docs/timeit.png and docs/timeit-dark.png; what ``./dev picture`` runs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import lab

DOCS = Path(__file__).parents[2] / "docs"
CELLS = (
    "%load_ext nbprobe\nimport ast, pathlib, re\n"
    "source = pathlib.Path(ast.__file__).read_text()\n"
    "pattern = re.compile('def ')",
    "%timeit source[1000]",
    "%timeit --vs \"source.count('def ')\" len(pattern.findall(source))",
)


def main() -> int:
    """Run the cells in both themes and save what JupyterLab shows."""
    reason = lab.why_not()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.server(Path(folder)) as jupyter,
        lab.browser(width=900, height=1000, scale=2) as chromium,
    ):
        for theme, name in (("light", "timeit.png"), ("dark", "timeit-dark.png")):
            notebook = f"{theme}.ipynb"
            jupyter.write(notebook, lab.notebook(*CELLS))
            page = jupyter.open(chromium, notebook, theme=theme)
            page.run_all()
            shown = page.outputs()
            if not shown or any("error" in output.mime for output in shown):
                print(*(output.text for output in shown), sep="\n", file=sys.stderr)
                return 1
            page.screenshot(DOCS / name)
            page.close()
            print(DOCS / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
