"""Memory that objects share and do not own, in heaps and in pictures."""

from __future__ import annotations

import gc
import mmap
import sys
import types
from typing import Any

import pytest

from nbprobe import graphs
from nbprobe.graphs import buffers, heap

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")

ROWS = 50_000
BYTES = 8 * ROWS


class Box:
    """A holder that a test can let go of."""


KEPT: list[Box] = []


@pytest.fixture
def box() -> Any:
    KEPT.append(Box())
    gc.collect()
    yield KEPT[-1]
    KEPT.clear()


def taken() -> graphs.HeapGraph:
    return heap(names=False, hidden=("nbprobe", __name__))


def test_arrow_memory_goes_with_its_only_holder(box: Any) -> None:
    box.column = pyarrow.array(range(ROWS))
    graph = taken()
    assert 0 < graph.of(box).domisize - BYTES < 2000
    memory = graph.of(box.column).referents & graph.type("shared.memory")
    assert (memory.count, memory.size) == (1, BYTES)
    assert [size for _, size, _ in graph.memory.values()].count(BYTES) == 1


def test_memory_of_two_moments_is_the_same_memory(box: Any) -> None:
    box.column = pyarrow.array(range(ROWS))
    before = heap()
    box.other = pyarrow.array(range(2 * ROWS))
    now = heap()
    new = (now.all - before.all) & now.type("shared.memory")
    assert (new.count, new.size) == (1, 2 * BYTES)
    kept = now.all & before.all & now.type("shared.memory")
    assert BYTES in {size for _, size, _ in now.memory.values()}
    assert kept.size >= BYTES and not kept & new


def test_slices_share_one_piece(box: Any) -> None:
    box.column = pyarrow.array(range(ROWS))
    other = Box()
    KEPT.append(other)
    other.half = box.column.slice(ROWS // 2)  # type: ignore[attr-defined]
    graph = taken()
    one, two = graph.of(box), graph.of(other)
    assert one.domisize < 2000 and two.domisize < 2000
    assert 0 < (one | two).domisize - BYTES < 3000


def test_what_arrow_shows_of_an_array_is_the_arrays(box: Any) -> None:
    box.array = numpy.arange(ROWS)
    box.column = pyarrow.array(box.array)
    graph = taken()
    assert graph.of(box.array) <= graph.of(box.column).referents
    assert 0 < graph.of(box).domisize - BYTES < 2000


def test_what_arrow_shows_of_bytes_is_the_bytes(box: Any) -> None:
    sink = pyarrow.BufferOutputStream()
    table = pyarrow.table({"x": range(ROWS), "y": [0.5] * ROWS})
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    box.raw = raw = sink.getvalue().to_pybytes()
    del table, sink, writer
    box.read = pyarrow.ipc.open_stream(raw).read_all()
    box.column = box.read.column("y")
    graph = taken()
    assert graph.of(raw) <= graph.of(box.read).referents
    assert graph.of(raw) <= graph.of(box.column).referents
    assert 0 < graph.of(box).domisize - len(raw) < 3000
    box.changing = bytearray(BYTES)
    box.seen = pyarrow.py_buffer(box.changing)
    graph = taken()
    assert graph.of(box.changing) <= graph.of(box.seen).referents
    assert 0 < graph.of(box).domisize - len(raw) - BYTES < 4000


def test_memory_of_devices_has_a_column_of_its_own(
    box: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    class Tensor:
        """A stand-in for torch's: it has what is asked of those."""

        def __init__(self, place: str) -> None:
            self.device = place

        def untyped_storage(self) -> Any:
            return self

        def data_ptr(self) -> int:
            return 1 << 20

        def nbytes(self) -> int:
            return 3 << 20

    module = types.ModuleType("torch")
    module.Tensor = Tensor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)
    box.tensors = [Tensor("cuda:0"), Tensor("cuda:0"), Tensor("cuda:1")]
    graph = taken()
    devices = {"cuda:0": 3 << 20, "cuda:1": 3 << 20}
    assert graph.devices == devices
    assert graph.type("device.memory").size == 0
    assert graph.of(box).domisize < 3000
    summary = graph.summary()
    assert dict(summary.devices) == devices
    assert "not counted: 3 MiB on cuda:0, 3 MiB on cuda:1" in str(summary)
    graph.save(tmp_path / "x.heap")
    assert graphs.load_heap(tmp_path / "x.heap").devices == devices
    found = graphs.variable_sizes({"box": box, "other": [1]}, graph=None)
    by_name = {it.name: it for it in found.variables}
    assert dict(by_name["box"].devices) == devices
    assert by_name["other"].devices == ()
    assert "on devices" in str(found)
    assert "on devices" not in str(graphs.variable_sizes({"other": [1]}))
    picture = graphs.show_refs(box.tensors, max_depth=2)
    assert picture is not None
    assert "3,145,728 bytes of cuda:1" in [it.value for it in picture.nodes]


def test_views_of_arrays_and_of_a_mapping_count_once(box: Any) -> None:
    box.array = numpy.zeros(ROWS)
    box.views = [box.array[::2], box.array.T, memoryview(box.array)]
    box.mapping = mmap.mmap(-1, BYTES)
    box.seen = [memoryview(box.mapping), numpy.frombuffer(box.mapping, dtype="u1")]
    graph = taken()
    assert 0 < graph.of(box).domisize - 2 * BYTES < 4000
    assert graph.of(*box.views[:2]).domisize < 500


def test_a_data_frame_keeps_its_columns(box: Any) -> None:
    words = [f"text {number}" for number in range(ROWS)]
    box.frame = pandas.DataFrame({"x": numpy.arange(ROWS), "s": words})
    graph = taken()
    deep = int(box.frame.memory_usage(deep=True).sum())
    assert 0.9 * deep < graph.of(box).domisize < 1.1 * deep + 20_000


def test_memory_is_new_once(box: Any) -> None:
    box.column = pyarrow.array(range(ROWS))
    mark = taken().mark()
    box.more = pyarrow.array(range(100))
    graph = taken()
    new = graph.since(mark) & graph.type("shared.memory")
    assert new.size == 800


def test_a_picture_has_the_memory(box: Any) -> None:
    box.column = pyarrow.array(range(ROWS))
    box.table = pyarrow.table({"x": box.column})
    graph = graphs.show_refs([box.column, box.table], max_depth=1, sizes=True)
    assert graph is not None
    (memory,) = [it for it in graph.nodes if it.type == "memory"]
    assert memory.value.startswith("400,000 bytes at 0x")
    assert memory.size == memory.retained == BYTES
    holders = {it.holder for it in graph.references if graph.nodes[it.held] is memory}
    assert holders == {0, 1}


@pytest.mark.parametrize("fails", [False, True])
def test_references_of_ones_own_are_followed(
    box: Any, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    hidden = [bytes(100_000)]

    def provide(value: object) -> buffers.Contents:
        if fails:
            raise ValueError("half built")
        return buffers.Contents((), (hidden,))

    module = types.ModuleType("thirdparty")
    module.Box = Box  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "thirdparty", module)
    monkeypatch.setitem(buffers._PROVIDERS, "thirdparty", [(("Box",), provide)])
    graph = taken()
    assert (graph.of(hidden) <= graph.of(box).referents) is not fails
