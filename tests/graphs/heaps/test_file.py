"""Saved heaps: what is read equals what was written, and hostile files do no harm."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbprobe.__main__ import main
from nbprobe._core import Heap, Mark
from nbprobe.errors import ResultFileError
from nbprobe.graphs import heap, load_heap

KEPT: dict[str, Any] = {}


class Purchase:
    def __init__(self, rows: list[bytes]) -> None:
        self.rows = rows


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    KEPT["orders"] = [Purchase([bytes(1000)] * 3) for _ in range(50)]
    place = tmp_path_factory.mktemp("heap") / "a.heap"
    heap().save(place)
    return place


def small() -> bytes:
    """A heap of a process that has next to nothing, as a file."""
    code = (
        "import sys, os; from nbprobe import _core; sys.modules.clear();"
        "_core.Heap(('x',), True).write(1, '{\"python\": \"3\"}'); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def content() -> bytes:
    return small()


def test_a_heap_is_read_as_it_was_written(tmp_path: Path) -> None:
    KEPT["cache"] = {"rows": [Purchase([])]}
    graph = heap()
    graph.save(tmp_path / "x.heap")
    read = load_heap(tmp_path / "x.heap")
    assert read.core.types() == graph.core.types()
    assert read.about == graph.about
    assert read.summary().types == graph.summary().types
    assert read.garbage.count == graph.core.unreached or read.garbage.count > 0
    node = graph.core.find(KEPT["cache"]["rows"][0])
    assert node is not None
    assert read.core.path(node) == graph.core.path(node)
    assert read.type("Purchase").sp == graph.type("Purchase").sp
    assert not read.since(graph)
    assert [it.name for it in tmp_path.iterdir()] == ["x.heap"]
    with pytest.raises(ValueError, match="has no objects"):
        read.all.live()


def test_the_command_shows_a_saved_heap(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["heap", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "objects and" in shown and "What alone keeps most alive" in shown
    assert main(["heap", "--by", "type", "--limit", "3", str(path)]) == 0
    assert capsys.readouterr().out.startswith("Partition of a set of ")
    assert main(["heap", "--by", "via", str(path)]) == 0
    assert "Referred Via:" in capsys.readouterr().out
    assert main(["heap", "--type", "Purchase", str(path)]) == 0
    shown = capsys.readouterr().out
    assert " objects of it" in shown and "['orders'][" in shown
    later = tmp_path / "later.heap"
    KEPT["more"] = [Purchase([]) for _ in range(7)]
    heap().save(later)
    page, result = tmp_path / "x.html", tmp_path / "x.json"
    arguments = ["--diff", str(path), "--html", str(page), "--json", str(result)]
    assert main(["heap", *arguments, str(later)]) == 0
    assert "+7" in capsys.readouterr().out
    assert page.read_text().startswith("<!DOCTYPE html>") and result.exists()


def test_the_command_shows_holders(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refs", "--type", "Purchase", "--max-depth", "2", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{Purchase.__module__}.Purchase")
    assert "] of list" in lines[1] and "['orders'] of dict" in lines[2]
    assert (
        main(["refs", "--type", "Purchase", "--refs", "--too-many", "1", str(path)])
        == 0
    )
    shown = capsys.readouterr().out
    assert ".rows: list" in shown and "more reference" in shown
    node = load_heap(path).core.find(KEPT["orders"])
    assert node is not None
    address = hex(id(KEPT["orders"]))
    assert main(["refs", "--address", address, str(path)]) == 0
    assert capsys.readouterr().out.startswith("list ")
    assert main(["refs", str(path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["heap"], 2, "give one file, as in nbprobe heap before.heap"),
        (["heap", "--by", "x", "f"], 2, "--by takes one of kind, type"),
        (["heap", "--limit", "0", "f"], 2, "--limit takes a whole number from 1"),
        (["heap", "--by", "type", "--type", "x", "f"], 2, "choose one"),
        (["heap", "/no/such"], 1, "No such file"),
        (["refs"], 2, "give one file"),
        (["refs", "--address", "x", "f"], 2, "--address takes an address"),
        (["refs", "/no/such"], 1, "No such file"),
        (["refs", "--type", "NoSuch4711", "FILE"], 1, "the heap has no object of a"),
        (["heap", "--type", "functoin", "FILE"], 1, "'functoin'; it has 'function'"),
        (["refs", "--address", "12", "FILE"], 1, "the heap has no such object"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    assert main([str(path) if it == "FILE" else it for it in arguments]) == code
    assert message in capsys.readouterr().err.splitlines()[0]


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("heap", "refs"):
        assert main([command, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"usage: nbprobe {command}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: b"", "not a heap of nbprobe"),
        (lambda it: b"x" * 1000, "not a heap of nbprobe"),
        (lambda it: it[:100], "not a heap of nbprobe"),
        (lambda it: it[:-8], "does not have the length"),
        (lambda it: it + b"12345678", "does not have the length"),
        (lambda it: it[:12] + b"\x09" + it[13:], "another version"),
        (lambda it: it[:8] + it[8:12][::-1] + it[12:], "another order of bytes"),
        (lambda it: it[:-3000] + b"\xff" * 8 + it[-2992:], "damaged"),
    ],
)
def test_what_is_no_heap_is_refused_in_one_line(
    content: bytes, tmp_path: Path, change: Any, message: str
) -> None:
    place = tmp_path / "x.heap"
    place.write_bytes(change(content))
    with pytest.raises(ResultFileError, match=message) as raised:
        load_heap(place)
    assert str(raised.value).startswith(repr(str(place)))
    assert "\n" not in str(raised.value)


HEADER = 160 + 8  # of version 1: 16 sections
COUNTS = 48


def checksum(content: bytes) -> int:
    """The file's checksum, computed again from its definition."""
    mask, prime = 2**64 - 1, 0x9E3779B97F4A7C15
    widths = (1, 8, 4, 4, 4, 16, 4, 4, 4, 4, 1, 1, 4, 1, 4, 8)
    counts = struct.unpack_from("<16Q", content, 40)
    total, at = 0, HEADER
    for count, width in zip(counts, widths, strict=True):
        size = count * width
        part = content[at : at + size]
        lanes = [total, total + prime & mask, total ^ prime, ~total & mask]
        whole = size // 32 * 32
        for index, word in enumerate(struct.unpack(f"<{whole // 8}Q", part[:whole])):
            lane = (lanes[index % 4] ^ word) * prime & mask
            lanes[index % 4] = lane ^ lane >> 29
        for byte in part[whole:]:
            lanes[0] = (lanes[0] ^ byte) * prime & mask
        total = (lanes[0] ^ lanes[1] * 3 ^ lanes[2] * 5 ^ lanes[3] * 7) & mask
        total = total * prime & mask
        at += (size + 7) // 8 * 8
    return total


def question(graph: Heap) -> None:
    """Ask a heap everything; whatever is in it, it answers or refuses."""
    content = graph.unreached_set()
    for node in graph.nodes(None, 40):
        graph.node(node)
        graph.dominator(node)
        graph.path(node)
        graph.references_of(node, True)
        graph.references_of(node, False)
    for by in ("type", "kind", "holders", "size", "name"):
        classes, keys = graph.classes(None, by)
        graph.tally(content, classes, len(keys))
    for name in {name for key in keys for name in key}:
        graph.name_of(name)
    graph.retained_by_type()
    graph.retained_set(content)
    graph.reach(content, True)
    graph.largest(None, True, 5)
    graph.entrances(content)
    graph.cycles(None)
    graph.new_since(Mark(graph))


def tiny() -> bytes:
    """A heap of five objects, written by hand, with everything that a file can hold."""
    parts: list[tuple[bytes, int]] = [
        (b"{}", 2),
        (struct.pack("<5Q", 16, 32, 48, 64, 80), 5),
        (struct.pack("<6I", 0, 2, 3, 4, 5, 5), 6),
        (struct.pack("<5I", 1, 2, 3, 4, 1), 5),
        (struct.pack("<5I", 10, 20, 30, 2**32 - 1, 50), 5),
        (struct.pack("<QII", 2**40, 3, 0), 1),
        (struct.pack("<5I", 0, 1, 1, 2, 0), 5),
        (struct.pack("<2I", 0, 4), 2),
        (struct.pack("<I", 0), 1),
        (struct.pack("<4I", 0, 6, 10, 14), 4),
        (b"moduledictlist", 14),
        (b"\1\0\0", 3),
        (struct.pack("<3I", 0, 8, 11), 3),
        (b"__dict__sys", 11),
        (struct.pack("<5I", 1, 1 << 3 | 2, 5 << 3 | 3, 6, 5), 5),
        (struct.pack("<2I", 0, 1), 1),
    ]
    body = b"".join(part + bytes(-len(part) % 8) for part, _ in parts)
    counts = struct.pack("<16Q", *(count for _, count in parts))
    head = b"nbpheap\n" + struct.pack("<IIQQQ", 0x01020304, 1, HEADER + len(body), 0, 1)
    return seal(head + counts + body)


def seal(content: bytes) -> bytes:
    return content[:24] + struct.pack("<Q", checksum(content)) + content[32:]


def test_a_file_made_by_hand_is_read() -> None:
    graph = Heap.read(tiny())
    assert graph.objects == 5 and graph.references == 5
    assert graph.node(3)[2] == 2**40
    assert graph.path(1) == ("module", [(0, ""), (1, ".__dict__")])
    question(graph)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_files_with_a_right_checksum_and_wrong_numbers(data: st.DataObject) -> None:
    content = bytearray(tiny())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(32, len(content) - 4))
        wild = data.draw(st.sampled_from([0, 1, 4, 5, 7, 255, 2**31, 2**32 - 1]))
        content[at : at + 4] = struct.pack("<I", wild)
    try:
        sealed = seal(bytes(content))
    except (struct.error, OverflowError, MemoryError):
        sealed = bytes(content)  # the lengths are wild, and there is no checksum
    try:
        graph = Heap.read(sealed)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    question(graph)


def test_changed_bytes_of_a_real_file_do_no_harm(content: bytes) -> None:
    chance = random.Random(7)
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 9)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            Heap.read(bytes(changed))
        except ValueError as error:
            assert "\n" not in str(error)
