"""%prun where it is used: pictures with tooltips for who ran it, pictures for who reads it."""

from __future__ import annotations

import json
import re
from typing import Any

import lab

from nbprobe.prun import Profile

LOAD = """%load_ext nbprobe
import json
def work():
    return json.loads(json.dumps([[1, 2]] * 900))"""


def test_who_ran_it_sees_icicle_and_call_graph_with_tooltips(
    jupyter: Any, chromium: Any
) -> None:
    jupyter.write("prun.ipynb", lab.notebook(LOAD, "%prun work()"))
    page = jupyter.open(chromium, "prun.ipynb")
    page.run_all()
    (output,) = page.outputs()
    page.close()
    assert output.mime == "text/html"
    assert "Call graph" in output.text
    titles = re.findall(r"<area [^>]*title=\"([^\"]+)\"", output.html)
    assert any(re.match(r"work: .* 1 call; ", title) for title in titles)
    # Each picture and its own map.
    names = re.findall(r"<map name=\"([^\"]+)\"", output.html)
    used = re.findall(r"usemap=\"#([^\"]+)\"", output.html)
    assert len(names) == len(set(names)) == 2 and sorted(names) == sorted(used)


def test_a_reader_who_trusts_nobody_sees_the_pictures(
    jupyter: Any, chromium: Any
) -> None:
    profile = Profile()
    profile.runcall(lambda: json.loads(json.dumps([[1, 2]] * 900)))
    bundle = profile.result("work()")._repr_mimebundle_()
    jupyter.write("untrusted.ipynb", lab.notebook("", outputs=[bundle]))
    page = jupyter.open(chromium, "untrusted.ipynb")
    (output,) = page.outputs()
    page.close()
    assert output.mime == "text/html"
    for part in (r"<img\b", r"<table\b", r"<details\b", r"style="):
        sent = len(re.findall(part, bundle["text/html"]))
        assert len(re.findall(part, output.html)) == sent, part
    # The maps are left without their pictures, and say nothing.
    assert "usemap" not in output.html
    titles = re.findall(r"<area [^>]*title=\"([^\"]+)\"", bundle["text/html"])
    assert titles
    assert not any(title in output.text for title in titles)
