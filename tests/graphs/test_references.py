"""Pictures of references and chains, beside objgraph's own."""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import nbprobe
from nbprobe import _core, graphs
from nbprobe.graphs import view

objgraph = pytest.importorskip("objgraph", reason="compares with the real objgraph")


class Thing:
    def __init__(self, **held: object) -> None:
        self.__dict__.update(held)


class Light:
    def __init__(self, held: object) -> None:
        self.held = held


class Dying:
    def __del__(self) -> None:
        pass


class Nasty:
    """Objects whose every method is a trap."""

    def _refuse(self, *args: object) -> object:
        raise AssertionError("user code was run")

    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __bool__ = _refuse  # type: ignore[assignment]
    __getattribute__ = __iter__ = _refuse  # type: ignore[assignment]
    __class__ = property(_refuse)  # type: ignore[assignment]


GLOBAL: dict[str, Any] = {}


def pairs(dot: str) -> set[tuple[str, str]]:
    return set(re.findall(r"(o\d+) -> (o\d+)", dot))


def both(name: str, objs: Any, **keywords: Any) -> tuple[str, str]:
    ours, theirs = io.StringIO(), io.StringIO()
    gc.collect()  # or one in between may change the order, and so which ten are shown
    getattr(graphs, name)(objs, output=ours, **keywords)
    getattr(objgraph, name)(objs, output=theirs, **keywords)
    return ours.getvalue(), theirs.getvalue()


def test_references_are_those_that_objgraph_finds() -> None:
    top = {"a": [1, {"b": (Light("x"),)}], "c": {1, 2}}
    ours, theirs = both("show_refs", [top], max_depth=3)
    assert pairs(ours) == pairs(theirs) != set()


def test_back_references_are_those_that_objgraph_finds() -> None:
    leaf = Light(None)
    GLOBAL["leaf"] = [leaf, {"x": leaf}]
    try:
        ours, theirs = both("show_backrefs", [leaf], max_depth=4)
    finally:
        GLOBAL.clear()
    assert pairs(theirs) <= pairs(ours)
    assert len(pairs(ours)) <= len(pairs(theirs)) + 1


def test_the_dot_text_is_one_graph_with_balanced_quotes() -> None:
    ours, theirs = both("show_refs", [{'"\\\n\x1b': "\0<&>"}], max_depth=2)
    assert ours.splitlines()[:2] == theirs.splitlines()[:2]
    assert ours.endswith("}\n")
    assert all(
        re.sub(r"\\.", "", line).count('"') % 2 == 0 for line in ours.splitlines()
    )


def test_too_many_are_counted() -> None:
    graph = graphs.show_refs([[[] for _ in range(30)]], max_depth=1, too_many=4)
    assert graph is not None
    assert graph.nodes[0].left_out == 26
    assert len(graph.nodes) == 5
    assert "26 more references" in str(graph)
    ours, theirs = both("show_refs", [[[] for _ in range(30)]], max_depth=1, too_many=4)
    assert "26 more references" in ours
    assert "26 more references" in theirs


def test_attributes_have_names_and_get_no_dictionary() -> None:
    leaf = [1]
    holder = Light(leaf)
    graph = graphs.show_backrefs([leaf], max_depth=1)
    assert graph is not None
    assert (".held",) in [reference.names for reference in graph.references]
    assert not any(type(held) is dict for held in gc.get_referents(holder))


def test_no_code_of_the_objects_runs_and_nothing_is_printed_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nasty = Nasty()
    graph = graphs.show_refs([[nasty, {1: nasty}]], max_depth=3)
    assert graph is not None
    # Outside of IPython nobody would show the result.
    assert capsys.readouterr().out == f"{graph}\n"
    assert "Nasty" in str(graph)
    graphs.show_backrefs([nasty], max_depth=3)
    print(graphs.why(nasty))


def test_a_repr_is_asked_on_request_and_may_fail() -> None:
    class Proud:
        def __repr__(self) -> str:
            return "I am proud"

    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    graph = graphs.show_refs([Proud(), Broken()], max_depth=0, reprs=True)
    assert graph is not None
    assert [node.value for node in graph.nodes] == ["I am proud", "(unrepresentable)"]
    quiet = graphs.show_refs([Proud()], max_depth=0)
    assert quiet is not None
    assert "proud" not in quiet.nodes[0].value


def test_refcounts_are_the_users_references() -> None:
    leaf = Light(None)
    held = [leaf, leaf]
    direct = graphs.show_refs(leaf, max_depth=0, refcounts=True)
    listed = graphs.show_refs(held, max_depth=1, refcounts=True)
    around = graphs.show_refs([held], max_depth=1, refcounts=True)
    assert direct is not None and listed is not None and around is not None
    assert direct.nodes[0].refcount == sys.getrefcount(leaf) - 1 == 3
    assert listed.nodes[0].refcount == 3
    assert around.nodes[1].refcount == 3


def test_extras_highlights_finalizers_and_modules() -> None:
    graph = graphs.show_refs(
        [Dying(), sys, 1],
        max_depth=0,
        extra_info=lambda it: "more",
        highlight=lambda it: it == 1,
        extra_node_attrs=lambda it: {"URL": "#x", "gone": None},
    )
    assert graph is not None
    dying, module, one = graph.nodes
    assert dying.finalizer and not module.finalizer
    assert module.module and module.value == "sys"
    assert one.highlighted and one.info == "more"
    assert dying.attributes == {"URL": "#x"}


def test_files_by_their_suffix(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    svg, dot = str(tmp_path / "x.svg"), str(tmp_path / "x.dot")
    assert graphs.show_refs([[1]], filename=svg) is None
    graphs.show_refs([[1]], filename=dot)
    assert capsys.readouterr().out == (
        f"Image generated as {svg}\nGraph written to {dot} (2 nodes)\n"
    )
    ElementTree.parse(svg)
    assert Path(dot).read_text().startswith("digraph ObjectGraph {")
    monkeypatch.setenv("PATH", str(tmp_path))
    graphs.show_refs([[1]], filename=str(tmp_path / "x.png"))
    assert "Image renderer (dot) not found" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no suffix"):
        graphs.show_refs([[1]], filename=str(tmp_path / "x"))
    with pytest.raises(ValueError, match="both output and filename"):
        graphs.show_refs([[1]], filename=svg, output=io.StringIO())
    with pytest.raises(FileNotFoundError):
        graphs.show_refs([[1]], filename=str(tmp_path / "none" / "x.svg"))


def test_a_negative_depth_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="max_depth must not be negative, and is -1"):
        graphs.show_refs([1], max_depth=-1)


def test_a_picture_too_large_says_what_it_lacks() -> None:
    graph = graphs.show_refs(
        [[[number] for number in range(500)]], max_depth=2, too_many=500
    )
    assert graph is not None
    html = graph._repr_mimebundle_()["text/html"]
    drawn = re.search(r"not drawn: (\d+) objects and \1 references", html)
    assert drawn is not None and 1001 - 150 <= int(drawn[1]) < 1001
    assert len(html) < 200_000
    assert "more lines" in str(graph)


def test_dense_graphs_are_drawn_in_time() -> None:
    things = [[] for _ in range(60)]  # type: ignore[var-annotated]
    for thing in things:
        thing.extend(things)
    graph = graphs.show_refs(things, max_depth=2, too_many=100)
    assert graph is not None
    ElementTree.fromstring(
        graph._repr_mimebundle_(include=["image/svg+xml"])["image/svg+xml"]
    )


@pytest.fixture
def no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the program away that draws what may take long: it is looked for there."""
    monkeypatch.setattr(_core, "__file__", str(tmp_path / "_core.so"))


@pytest.mark.usefixtures("no_program")
def test_without_the_program_a_small_part_is_drawn() -> None:
    nodes = [{"label": str(number)} for number in range(100)]
    edges = [(number, number + 1, {}) for number in range(99)]
    svg, boxes, drawn = _core.draw(nodes, edges, {})  # type: ignore[arg-type]
    assert (len(boxes), drawn) == (40, 39)
    assert svg.count('class="node"') == 40


# AddressSanitizer's allocator of gcc 12 keeps its locks in a forked child: where another
# thread allocates just then, the child waits for ever.
@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="forks")
def test_pictures_are_drawn_while_the_process_forks() -> None:
    with drawing_threads() as (draw, answers), warnings.catch_warnings():
        # Of forking with threads: which is what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    draw()
                finally:
                    os._exit(0 if answers[-2:] == [30, 60] else 1)
            assert os.waitpid(child, 0)[1] == 0


def test_pictures_are_drawn_by_threads_at_once() -> None:
    with drawing_threads() as (_, answers):
        pass
    assert sorted(answers) == [30] * 8 + [60] * 8


@contextlib.contextmanager
def drawing_threads() -> Iterator[tuple[Callable[[], None], list[int]]]:
    """Draw in eight threads, and give what they call and the sizes that came back."""
    nodes = [{"label": "\0\ud800<&>" * 9, "tooltip": "x" * 100_000}] * 60
    edges = [(number, (7 * number) % 60, {"label": "[0]"}) for number in range(100)]
    answers: list[int] = []

    def draw() -> None:
        for count in (30, 60):
            kept = [edge for edge in edges if edge[0] < count and edge[1] < count]
            # As long as it takes: in less time less would be drawn on a busy machine.
            svg, boxes, _ = _core.draw(nodes[:count], kept[:count], {}, 100.0)
            ElementTree.fromstring(svg)
            answers.append(len(boxes))

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    yield draw, answers
    for thread in threads:
        thread.join()


def test_nothing_is_written_by_the_libraries(capfd: pytest.CaptureFixture[str]) -> None:
    hostile = [{"label": word} for word in ("\xff\x00", "<b>", "{a|b", "\\N" * 400)]
    _core.draw(hostile, [(0, 1, {"color": "nonsense"})], {"bgcolor": "nonsense"})
    _core.draw(hostile * 20, [(0, 1, {"color": "nonsense"})], {"fontname": "nonsense"})
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_drawn_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="drawing: an argument is out of range"):
        _core.draw([{}], [(0, 1, {})], {})
    with pytest.raises(ValueError, match="seconds must be between 0 and 3600"):
        _core.draw([], [], {}, -1.0)
    with pytest.raises(TypeError, match="an attribute must be str, not int"):
        _core.draw([{"label": 1}], [], {})  # type: ignore[dict-item]


def test_hostile_labels_make_well_formed_pictures() -> None:
    words = [
        "\x00\x01\x1b[31m",
        "</svg><script>",
        "&amp;\\N\\G",
        "\ud800",
        "日本",
        "x" * 10_000,
    ]
    graph = graphs.show_refs(
        [{word: word for word in words}],
        max_depth=1,
        extra_info=lambda it: words[0] + words[1],
    )
    assert graph is not None
    bundle = graph._repr_mimebundle_(include=["image/svg+xml", "text/html"])
    ElementTree.fromstring(bundle["image/svg+xml"])
    assert "<script" not in bundle["text/html"]


def test_a_picture_can_be_saved_and_loaded(tmp_path: Path) -> None:
    graph = graphs.show_refs([{"a": [1]}], max_depth=2)
    assert graph is not None
    graph.save(tmp_path / "graph.json")
    assert nbprobe.load(tmp_path / "graph.json") == graph
    reason = graphs.why(graph)
    reason.save(tmp_path / "why.json")
    assert nbprobe.load(tmp_path / "why.json") == reason


def test_chains_are_those_that_objgraph_finds() -> None:
    leaf = Light(None)
    GLOBAL["leaf"] = [[[leaf]]]
    try:
        ours = graphs.find_backref_chain(leaf, graphs.is_proper_module)
        theirs = objgraph.find_backref_chain(leaf, objgraph.is_proper_module)
        assert [id(it) for it in ours[:1]] == [id(it) for it in theirs[:1]]
        assert len(ours) == len(theirs) == 7
        assert ours[-1] is leaf
        graph = graphs.show_chain(ours)
        assert graph is not None
        assert len(graph.nodes) == 7
        down = graphs.find_ref_chain(GLOBAL, lambda it: it is leaf)
        assert [id(it) for it in down] == [id(it) for it in ours[-5:]]
    finally:
        GLOBAL.clear()
    assert graphs.find_ref_chain(leaf, lambda it: False, max_depth=2) == [leaf]
    with pytest.raises(ValueError, match="not empty"):
        graphs.show_chain([])


def test_our_own_lists_are_not_among_the_holders() -> None:
    leaf = Light(None)
    middle = Light(leaf)
    outer = Light(middle)
    graph = graphs.show_backrefs([leaf], max_depth=5)
    assert graph is not None
    running = "running function"
    assert [node.type for node in graph.nodes] == ["Light", "Light", running, "Light"]
    assert outer


def wait_with(given: object, started: threading.Event, done: threading.Event) -> None:
    theirs = given
    started.set()
    done.wait(90)
    assert theirs


def test_running_functions_are_shown_with_their_variables() -> None:
    leaf = Light(None)
    graph = graphs.show_backrefs([leaf], max_depth=1)
    assert graph is not None
    (frame,) = graph.nodes[1:]
    assert frame.running
    assert frame.value.startswith(
        "test_running_functions_are_shown_with_their_variables() test_references.py:"
    )
    (reference,) = graph.references
    assert reference.names == ("leaf",)
    assert reference.on_path
    assert f"leaf of running function  {frame.value}" in str(graph)
    without = graphs.show_backrefs([leaf], max_depth=1, frames=False)
    assert without is not None and len(without.nodes) == 1

    started, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=wait_with, args=(leaf, started, done))
    thread.start()
    started.wait(90)
    graph = graphs.show_backrefs([leaf], max_depth=1)
    done.set()
    thread.join()
    assert graph is not None
    names = {it.names for it in graph.references}
    assert {("leaf",), ("given", "theirs")} <= names


def test_the_path_from_a_module_is_marked() -> None:
    leaf = Light(None)
    GLOBAL["leaf"] = [leaf]
    try:
        graph = graphs.show_backrefs([leaf], max_depth=5, frames=False)
    finally:
        GLOBAL.clear()
    assert graph is not None
    marked = [it for it in graph.references if it.on_path]
    assert [it.names[0] for it in marked] == [
        "[0]",
        "['leaf']",
        "['GLOBAL']",
        ".__dict__",
    ]
    assert graph.nodes[marked[-1].holder].module
    assert view.svg(graph).count('stroke="#c0601b" stroke-width="2.2"') >= 4


def test_what_is_too_much_is_bundled_by_type_and_name() -> None:
    children = [[] for _ in range(30)] + [{1: 2}] * 200  # type: ignore[list-item,var-annotated]
    tree = Thing(children=children)
    graph = graphs.show_refs(tree, max_depth=3, too_many=5, filter=None)
    assert graph is not None
    found = {
        (it.count, it.type, it.name) for node in graph.nodes for it in node.bundles
    }
    # Of a list in an attribute, or in a dictionary of attributes: as the version has it.
    (name,) = {name for _, _, name in found if "children" in name}
    assert name in (".children[...]", "['children'][...]")
    assert {(25, "list", name), (200, "dict", name)} <= found
    assert f"225 more references: 200 dict by {name}" in str(graph)
    light = Light(children)
    graph = graphs.show_refs(light, max_depth=2, too_many=5)
    assert graph is not None
    (bundled,) = [node for node in graph.nodes if node.bundles]
    assert bundled.bundles[0].name == ".held[...]"
    assert "200 more dict" in view.svg(graph)


def test_sizes_on_request() -> None:
    leaf = Light([bytes(100_000)])
    graph = graphs.show_refs(leaf, max_depth=2, sizes=True)
    assert graph is not None
    top, *_ = graph.nodes
    assert top.size is not None and 30 < top.size < 600
    assert top.retained is not None and 100_000 < top.retained < 101_000
    assert ", with it 98" in str(graph)
    plain = graphs.show_refs(leaf, max_depth=2)
    assert plain is not None and plain.nodes[0].retained is None


def test_both_functions_have_objgraphs_arguments() -> None:
    for name in ("show_refs", "show_backrefs"):
        ours = inspect.signature(getattr(graphs, name)).parameters
        theirs = inspect.signature(getattr(objgraph, name)).parameters
        assert list(ours)[: len(theirs)] == list(theirs)
        assert all(
            ours[key].default == theirs[key].default for key in theirs if key != "objs"
        )
        assert getattr(graphs, name).__doc__.startswith("Show what ")


@pytest.mark.parametrize("program", [None, "works", "fails", "does not start"])
def test_other_formats_are_the_dot_programs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    program: str | None,
) -> None:
    dot = tmp_path / "dot"
    script = {
        "works": "#!/bin/sh\ncat > ${2#-o}\n",
        "fails": "#!/bin/sh\necho 'no such format' >&2; exit 3\n",
        "does not start": "#!/no/such/interpreter\n",
    }
    if program is not None:
        dot.write_text(script[program])
        dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if program else "")
    picture = tmp_path / "x.png"
    assert graphs.show_refs([[1]], filename=str(picture)) is None
    line, *more = capsys.readouterr().out.splitlines()
    drawn = tmp_path / "x.svg"
    expected = {
        None: f"Image renderer (dot) not found, drawing {drawn} instead",
        "works": f"Image generated as {picture}",
        "fails": f"dot failed (exit code 3) while writing {picture}: no such format",
        "does not start": "dot does not start: ",
    }
    assert line.startswith(expected[program])
    assert more == ([] if program else [f"Image generated as {drawn}"])
    assert program or "<svg" in drawn.read_text()
    if program == "works":
        assert picture.read_text().startswith("digraph ObjectGraph {")


def test_holders_in_the_permanent_generation_are_found() -> None:
    code = """
import gc
from nbprobe import graphs
class Holder: pass
holder = Holder()
holder.leaf = [1, 2]
gc.freeze()
graph = graphs.show_backrefs([holder.leaf], max_depth=1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ".leaf of Holder" in done.stdout
