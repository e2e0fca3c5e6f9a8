"""%timeit where it is used: in JupyterLab, by who ran it and by who reads it."""

from __future__ import annotations

import re
from typing import Any

import lab
import pytest

from nbprobe.timeit import compare, measure, scale

LOAD = "%load_ext nbprobe\n%config TimeitMagics.budget = 0.02"


def test_the_result_is_shown_once_and_rich(jupyter: Any, chromium: Any) -> None:
    jupyter.write("timeit.ipynb", lab.notebook(LOAD, "%timeit sorted([3, 1, 2])"))
    page = jupyter.open(chromium, "timeit.ipynb")
    page.run_all()
    (output,) = page.outputs()
    page.close()
    assert output.mime == "text/html"
    assert "95 % interval" in output.text
    assert "the statement ran" in output.text


RESULTS = {
    "statement": lambda: measure("len(t)", "t = '<b>&'", budget=0.05),
    "comparison": lambda: compare(["int()", "int('1')"], budget=0.05),
    "scaling": lambda: scale("[0] * n", name="n", values=[10, 100, 1000], budget=0.02),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_a_reader_who_trusts_nobody_sees_the_same(
    jupyter: Any, chromium: Any, kind: str
) -> None:
    bundle = RESULTS[kind]()._repr_mimebundle_()
    jupyter.write(f"{kind}.ipynb", lab.notebook("", outputs=[bundle]))
    page = jupyter.open(chromium, f"{kind}.ipynb")
    (output,) = page.outputs()
    page.close()
    assert output.mime == "text/html"
    for part in (r"<img\b", r"<table\b", r"<details\b", r"style=", r"background-color"):
        sent = len(re.findall(part, bundle["text/html"]))
        assert len(re.findall(part, output.html)) == sent, part
