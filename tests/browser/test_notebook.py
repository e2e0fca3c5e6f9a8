"""All tools in a real JupyterLab: one notebook, by who runs it and by who reads it.

It is run once, in the light theme, and opened twice more: in the dark one, and as
somebody else's, whose outputs nobody has signed. The tests look at what was found then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lab
import pytest

# The first test waits for all that the others look at.
pytestmark = pytest.mark.timeout(1200)

LOAD = """%load_ext nbprobe
%config TimeitMagics.budget = 0.05
%config LiveDisplay.after = 0.1
import ast, ctypes, json, multiprocessing, time
import numpy
hold = ctypes.PyDLL(None).usleep
square = numpy.ones((300, 300))
def loop(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
def multiply(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        square @ square
def held(seconds):
    loop(0.4)
    hold(int(seconds * 1e6))
    loop(1.5)
class Node:
    def __init__(self):
        self.children = []
tree = Node()
tree.children += [Node() for _ in range(30)]
leaf = tree.children[3]
def work(text):
    trees = [ast.parse(text) for _ in range(3)]
    counts = {}
    for node in ast.walk(trees[0]):
        name = type(node).__name__
        counts[name] = counts.get(name, 0) + 1
    return json.loads(json.dumps(counts))
def pool():
    with multiprocessing.get_context("fork").Pool(2) as workers:
        workers.map(work, [source] * 6)
        workers.close()
        workers.join()
source = "def f(x):\\n    return [x + 1 for x in range(x)]\\n" * 20"""

# Its engines come up while the other cells run.
START = """import logging
import ipyparallel
cluster = ipyparallel.Cluster(n=2, log_level=logging.ERROR, delay=0)
cluster.start_cluster_sync();"""

CONNECT = """client = cluster.connect_client_sync(timeout=200)
client.wait_for_engines(2, interactive=False)
lines = In[1].splitlines()
code = "\\n".join(line for line in lines if not line.startswith("%"))
client[:].execute(code, block=True)
client[:].scatter("share", [0, 1], flatten=True, block=True);"""

STOP = """client.close()
cluster.stop_cluster_sync()"""

MARKUP = "<b id='bold' style='color: #c00'>bold</b><svg><text>drawn</text></svg>"

# Each with something that must be there to be read.
CELLS = {
    "load": (LOAD, ""),
    "children": ("%prun --children pool()", "2 child processes: 2 finished"),
    "start": (START, ""),
    "markup": (f"from IPython.display import HTML\nHTML({MARKUP!r})", "bold"),
    "timeit": ("%timeit sorted([3, 1, 2])", "the statement ran"),
    "comparison": ("%timeit --vs \"len('<b>&')\" len('x')", "against"),
    "scaling": ("%timeit --scale n=10,100,1000 [0] * n", "exponent"),
    "prun": ("%prun work(source)", "Call graph"),
    "lprun": ("%lprun --mem work(source)", "in 1 function"),
    "dis": ("%dis --warm work(source) work", "LOAD_FAST"),
    "memit": ("%memit work(source)", "allocated, at the peak"),
    "mprun": ("%mprun work(source)", "Line Contents"),
    "heap": ("%heap", "What alone keeps most alive"),
    "growth": ("%growth kept = [ast.parse(source)]", "By what holds them"),
    "sizes": ("%sizes tree source", "retained"),
    "cycles": ("%cycles work(source)", "The collector since the start"),
    "why": ("%why leaf", "to let go"),
    "references": ("%show_backrefs --sizes leaf", "As text"),
    "connect": (CONNECT, ""),
    "engines": ("%prun --engines time.sleep(share); work(source)", "imbalance"),
    "engines' lines": ("%lprun --engines work(source)", "Own time by process"),
    "engines' memory": ("%memit --engines bytes(10**6 * (1 + share))", "Engines"),
    "engines' time": ("%timeit --engines sum(range(100 + share))", "engine 1"),
    "stop": (STOP, ""),
    "live loop": ("%prun loop(1)", "1 thread"),
    "live numpy": ("%mprun multiply(1)", "multiply"),
    "live sleep": ("%memit time.sleep(1)", "time.sleep"),
    "live held": ("%prun --sample held(1.3)", "samples"),
}
SHOWN = [name for name, (_, expected) in CELLS.items() if expected]
LIVE = [name for name in CELLS if name.startswith("live")]

# Every new text that a cell shows while it runs.
WATCH = """() => {
    window.seen = {};
    new MutationObserver(() => {
        document.querySelectorAll('.jp-CodeCell').forEach((cell, index) => {
            const output = cell.querySelector('.jp-OutputArea-output');
            const text = output ? output.textContent : '';
            const texts = window.seen[index] ??= [];
            if (text.includes('is running') && texts.at(-1) !== text) texts.push(text);
        });
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""

# What the outputs look like, each a dictionary.
LOOK = """() => {
    const rgba = text => {
        const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
        return [r, g, b, a ?? 1];
    };
    const over = (top, below) => below.map(
        (value, i) => i < 3 ? top[i] * top[3] + value * (1 - top[3]) : 1);
    const bright = colour => {
        const [r, g, b] = colour.slice(0, 3).map(value => {
            value /= 255;
            return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = element => {
        const line = [];
        for (let e = element; e; e = e.parentElement) line.unshift(getComputedStyle(e));
        let ground = [255, 255, 255, 1], opacity = 1;
        for (const style of line) {
            ground = over(rgba(style.backgroundColor), ground);
            opacity *= Number(style.opacity);
        }
        const ink = rgba(line.at(-1).color);
        ink[3] *= opacity;
        const [a, b] = [bright(over(ink, ground)), bright(ground)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    };
    return [...document.querySelectorAll('.jp-CodeCell')].map(cell => {
        const outputs = [...cell.querySelectorAll('.jp-OutputArea-output')];
        if (outputs.length != 1) return {outputs: outputs.length};
        const [output] = outputs;
        const texts = [...output.querySelectorAll('*')].filter(e => e.checkVisibility()
            && [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()));
        const faint = texts.map(e => [contrast(e), e.textContent.trim().slice(0, 40)]);
        return {
            outputs: 1,
            mime: output.dataset.mimeType,
            html: output.innerHTML,
            text: output.innerText,
            wide: output.scrollWidth - output.clientWidth,
            faintest: faint.sort((x, y) => x[0] - y[0])[0] ?? [21, ''],
            images: [...output.querySelectorAll('img')].map(
                e => [e.naturalWidth, e.checkVisibility() ? e.width : 0]),
        };
    });
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The notebook as one reader sees it."""

    cells: dict[str, dict[str, Any]]
    background: str
    toasts: int

    @classmethod
    def of(cls, page: Any) -> Seen:
        cells = dict(zip(CELLS, page.page.evaluate(LOOK), strict=True))
        background = page.page.evaluate(
            "getComputedStyle(document.querySelector('.jp-NotebookPanel')).backgroundColor"
        )
        return cls(cells, background, page.page.locator(".Toastify__toast").count())


@dataclass(frozen=True, slots=True)
class All:
    """What all readers see, the outputs as they are saved, and what was shown meanwhile."""

    light: Seen
    dark: Seen
    untrusted: Seen
    saved: dict[str, str]
    live: dict[str, list[str]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[All]:
    folder = tmp_path_factory.mktemp("notebooks")
    with lab.server(folder) as jupyter, lab.browser() as chromium:
        jupyter.write("all.ipynb", lab.notebook(*(code for code, _ in CELLS.values())))
        page = jupyter.open(chromium, "all.ipynb")
        page.page.evaluate(WATCH)
        page.run_all()
        light = Seen.of(page)
        shown = page.page.evaluate("window.seen")
        page.save()
        page.close()

        page = jupyter.open(chromium, "all.ipynb", theme="dark")
        dark = Seen.of(page)
        page.screenshot(folder / "dark.png")
        page.close()

        content = json.loads((folder / "all.ipynb").read_text(encoding="utf-8"))
        # Others may have printed something: ipyparallel, of a log that is gone already.
        saved = {
            name: "".join(output["data"]["text/html"])
            for name, cell in zip(CELLS, content["cells"], strict=True)
            for output in cell["outputs"]
            if "text/html" in output.get("data", ())
        }
        content["cells"].append({**content["cells"][0], "id": "theirs"})
        content["cells"].pop(0)
        jupyter.write("theirs.ipynb", content)
        page = jupyter.open(chromium, "theirs.ipynb")
        page.page.evaluate(
            "document.querySelector('.jp-Notebook').prepend("
            "[...document.querySelectorAll('.jp-CodeCell')].at(-1))"
        )
        untrusted = Seen.of(page)
        page.close()
    live = {name: shown.get(str(i), []) for i, name in enumerate(CELLS)}
    yield All(light, dark, untrusted, saved, live)


@pytest.mark.parametrize("name", SHOWN)
def test_who_ran_it_sees_each_result_once_and_rich(seen: All, name: str) -> None:
    for reader in (seen.light, seen.dark):
        cell = reader.cells[name]
        assert cell["outputs"] == 1
        assert cell["mime"] == "text/html"
        assert CELLS[name][1] in cell["text"]
        assert "is running" not in cell["text"]
        assert all(natural > 0 for natural, _ in cell["images"])
    assert seen.dark.cells[name]["text"] == seen.light.cells[name]["text"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_reader_who_trusts_nobody_sees_the_same(seen: All, name: str) -> None:
    cell = seen.untrusted.cells[name]
    assert cell["mime"] == "text/html"
    if name != "markup":
        assert cell["text"] == seen.light.cells[name]["text"]
        assert cell["images"] == seen.light.cells[name]["images"]
        for part in (r"<img\b", r"<table\b", r"<details\b", r"style=", "background-"):
            sent = len(re.findall(part, seen.saved[name]))
            assert len(re.findall(part, cell["html"])) == sent, part
    # The maps lose what binds them to their pictures, and say nothing.
    assert "<map name" not in cell["html"]


@pytest.mark.parametrize("name", [name for name in SHOWN if name != "markup"])
def test_it_can_be_read_on_light_and_dark_and_fits(seen: All, name: str) -> None:
    for reader in (seen.light, seen.dark, seen.untrusted):
        contrast, text = reader.cells[name]["faintest"]
        assert contrast > 3, text
        assert reader.cells[name]["wide"] <= 0


@pytest.mark.parametrize(
    ("name", "pictures", "tooltip"),
    [("prun", 2, r"work: .* 1 call; "), ("references", 1, r"Node  at .*, with it ")],
)
def test_pictures_have_tooltips(
    seen: All, name: str, pictures: int, tooltip: str
) -> None:
    html = seen.light.cells[name]["html"]
    titles = re.findall(r"<area [^>]*title=\"([^\"]+)\"", html)
    assert any(re.match(tooltip, title, re.DOTALL) for title in titles)
    # Each picture and its own map.
    names = re.findall(r"<map name=\"([^\"]+)\"", html)
    used = re.findall(r"usemap=\"#([^\"]+)\"", html)
    assert len(names) == len(set(names)) == pictures and sorted(names) == sorted(used)


def test_different_pictures_have_different_maps(seen: All) -> None:
    every = "".join(cell.get("html", "") for cell in seen.light.cells.values())
    maps = re.findall(r"<map name=\"([^\"]+)\">(.*?)</map>", every, re.DOTALL)
    assert len(dict(maps)) == len(set(maps)) > 3


@pytest.mark.parametrize("name", LIVE)
def test_a_long_run_is_shown_while_it_runs(seen: All, name: str) -> None:
    texts = seen.live[name]
    assert 2 <= len(texts) <= 20
    assert all("resident, at most" in text for text in texts)
    called = {"live sleep": "time.sleep", "live held": "held"}
    assert called.get(name, CELLS[name][0].split()[1].split("(")[0]) in texts[-1]
    # On a busy machine others may have had to wait as well.
    assert "one call kept the interpreter for " in texts[-1] or name != "live held"


def test_who_has_answered_is_shown_while_engines_run(seen: All) -> None:
    texts = seen.live["engines"]
    assert 2 <= len(texts) <= 20
    assert all("%prun --engines is running" in text for text in texts)
    # The one that sleeps is waited for.
    assert "1 of 2 engines answered" in texts[-1]
    assert "engine 1" in texts[-1] and texts[-1].count("running") == 2


def test_the_harness_tells_readers_apart(seen: All) -> None:
    assert "<svg>" in seen.light.cells["markup"]["html"]
    assert "<svg>" not in seen.untrusted.cells["markup"]["html"]
    for reader, bright in ((seen.light, True), (seen.dark, False)):
        red = int(reader.background.removeprefix("rgb(").split(",")[0])
        assert (red > 127) is bright
        assert reader.toasts == 0
