"""Deep sizes: pympler's where those are right, the memory's where they are not."""

from __future__ import annotations

import gc
import mmap
import sys
import types
from collections import deque
from typing import Any

import pytest

from nbprobe import _core, graphs
from nbprobe.graphs.buffers import Buffer, Contents, register

asizeof = pytest.importorskip("pympler.asizeof", reason="compares with pympler")
numpy = pytest.importorskip("numpy")

SHARED = [1, 2, 3]

PLAIN: dict[str, Any] = {
    "int": 1,
    "long int": 10**30,
    "negative": -5,
    "float": 1.5,
    "complex": 1j,
    "bool": True,
    "None": None,
    "str": "abc",
    "latin str": "é",
    "wide str": "日本" * 9,
    "bytes": b"xyz",
    "bytearray": bytearray(b"abc"),
    "empty": [(), [], {}, set(), frozenset(), "", b""],
    "list": list(range(1000)),
    "tuple": tuple(map(str, range(99))),
    "set": {1, 2, "x"},
    "large set": set(range(5000)),
    "dict": {"a": [1, 2], "b": {"c": (1, 2)}},
    "large dict": {number: str(number) for number in range(1000)},
    "dict of str": {str(number): number for number in range(1000)},
    "shared": [SHARED, SHARED, {"x": SHARED}],
    "nested": [[[[[[1], 2], 3], 4], 5], 6],
    "range": range(10),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_containers_have_pymplers_size(name: str) -> None:
    value = PLAIN[name]
    assert graphs.asizeof(value) == asizeof.asizeof(value)
    assert graphs.asizeof(value, align=1) == asizeof.asizeof(value, align=1)
    assert graphs.flatsize(value) == asizeof.flatsize(value)
    assert graphs.flatsize(value, 64) == asizeof.flatsize(value, 64)


def test_several_objects() -> None:
    objs = [SHARED, {"x": SHARED}, SHARED, [SHARED, [4, 5]], 7]
    assert graphs.asizeof(*objs) == asizeof.asizeof(*objs)
    assert graphs.asizesof(*objs) == asizeof.asizesof(*objs)
    assert graphs.asizesof() == ()
    assert graphs.asizeof() == 0


def test_a_limit_of_references() -> None:
    nested = [[[[[]]]]]
    for limit in (0, 1, 2, 10):
        expected = asizeof.asizeof(nested, limit=limit)
        assert graphs.asizeof(nested, limit=limit) == expected


def test_code_is_left_out_unless_asked_for() -> None:
    class Thing:
        pass

    plain = graphs.asizeof([1, 2])
    held = [1, 2, Thing, sys, len, print, test_several_objects]
    assert graphs.asizeof(held) - sys.getsizeof(held) == plain - sys.getsizeof([1, 2])
    assert graphs.asizeof(Thing) == asizeof.asizeof(Thing) == 0
    assert graphs.asizeof(Thing, code=True) > sys.getsizeof(Thing)
    assert graphs.asizeof([Thing()], exclude=[Thing]) == sys.getsizeof([1])


def test_detail() -> None:
    value = {"x": [1, 2], "y": SHARED}
    ours = graphs.asized(value, detail=2)
    theirs = asizeof.asized(value, detail=2)
    assert isinstance(ours, graphs.Asized)
    assert (ours.size, ours.flat) == (theirs.size, theirs.flat)
    assert sum(ref.size for ref in ours.refs) + ours.flat == ours.size
    (lists,) = [ref for ref in ours.refs if ref.name.startswith("[V] x: ")]
    assert lists.size == asizeof.asizeof([1, 2]) and len(lists.refs) == 2
    assert ours.get(lists.name) is lists
    assert ours.get("nothing") is None
    assert ours.format(depth=1).count("\n") == len(ours.refs)
    assert str(ours).startswith(f"size {ours.size}, flat {ours.flat}, refs[")
    assert isinstance(graphs.asized(1, 2), tuple)


def test_names_and_order_are_pymplers() -> None:
    def lines(it: Any) -> list[str]:
        return [line for line in it.format().splitlines() if "__class__" not in line]

    for value in (
        [1, 2, (3, 4), "text"],
        {"k": [1, 2], "j": [b"x", None, 1.5], 3: {4, 5}, "e": (), "s": set()},
        [[1], {"a": {"b": [[[[[1]]]]]}}],
        ["x" * 200, list(range(300))],
    ):
        ours, theirs = graphs.asized(value, detail=1), asizeof.asized(value, detail=1)
        if len(repr(value)) <= 80:
            assert lines(ours) == lines(theirs)
        assert all(len(line) < 140 for line in lines(ours))
    circle: list[Any] = [1]
    circle.append(circle)
    assert str(graphs.asized(circle)).endswith("name '[1, [...]]'")
    wide: Any = 1
    for _ in range(50):
        wide = [wide] * 50
    assert len(str(graphs.asized(wide))) < 160
    thing = type("Thing4711", (), {})()
    assert "Thing4711 object at 0x" in str(graphs.asized(thing))
    assert "[<class 'dict'>, <module sys>]" in str(graphs.asized([dict, sys]))


def test_no_code_of_the_objects_runs_for_names() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise RuntimeError

    it = Hostile()
    ours = graphs.asized([it, {"k": it}], detail=3)
    assert "Hostile object at" in str(graphs.asized(it))
    assert isinstance(ours, graphs.Asized) and ours.size > ours.flat
    assert [held is it for held in graphs.refs([it])] == [True]
    assert graphs.named_refs({"k": it}) == [("k", it)]


def test_attributes_without_a_dictionary_get_none() -> None:
    class Thing:
        def __init__(self) -> None:
            self.held = [1] * 1000

    thing = Thing()
    assert graphs.asizeof(thing) > 8000
    assert graphs.asizeof(thing) < 8600
    assert not any(type(held) is dict for held in gc.get_referents(thing))


def test_views_share_their_memory() -> None:
    array = numpy.zeros(1_000_000)
    assert graphs.asizeof(array) - array.nbytes in range(100, 200)
    view = array[::2]
    assert graphs.asizeof(view) - array.nbytes in range(200, 400)
    assert graphs.asizeof([array, view, array.T, view[1:]]) - array.nbytes < 1000
    assert graphs.asizeof(memoryview(array)) - array.nbytes < 1000
    own = graphs.asizesof(array, view)
    assert own[1] < 200
    data = bytes(1_000_000)
    assert graphs.asizeof(numpy.frombuffer(data)) - len(data) in range(100, 300)
    assert graphs.asizeof([data, numpy.frombuffer(data)]) - len(data) in range(100, 400)


def test_arrays_of_objects_have_items() -> None:
    rows = [[number] * 100 for number in range(10)]
    array = numpy.empty((2, 5), dtype=object)
    array.flat[:] = range(10)
    for index, row in enumerate(rows):
        array[divmod(index, 5)] = row
    alone = graphs.asizeof(rows)
    assert alone < graphs.asizeof(array) < alone + 500
    assert _core.reference_names(array, rows[7]) == [("index", 7)]
    view = array.T
    assert _core.reference_names(view, array) == [("attribute", "base")]
    assert any(it is rows[3] for it in _core.referents(array))
    assert not any(it is rows[3] for it in _core.referents(view))
    empty = numpy.empty((3, 0), dtype=object)
    assert _core.referents(empty) == []


def test_an_array_is_found_as_the_holder_of_its_items() -> None:
    leaf = ["only there"]
    array = numpy.empty(3, dtype=object)
    array[1] = leaf
    (holders,) = _core.referrers([leaf])
    assert [it is array for it in holders] == [True]


def test_a_base_is_held_by_its_views() -> None:
    array = numpy.arange(10)
    view = array[2:]
    (holders,) = _core.referrers([array])
    assert any(it is view for it in holders)
    heap = _core.Heap(("nbprobe",))
    del array
    retained = _core.Heap(("nbprobe",)).retained(view)
    assert retained > 80
    del heap


def test_a_deque_has_items_and_a_weak_reference_none() -> None:
    import weakref

    class Thing:
        pass

    thing = Thing()
    thing.data = bytes(10_000)  # type: ignore[attr-defined]
    assert graphs.asizeof(deque([bytes(10_000)])) > 10_000
    assert graphs.asizeof(weakref.ref(thing)) < 1000


def test_a_data_frame_is_its_columns() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": numpy.arange(100_000), "y": numpy.zeros(100_000)})
    size = graphs.asizeof(frame)
    assert 1_600_000 < size < 1_700_000
    assert graphs.asizeof([frame, frame["x"], frame[:10]]) - size < 20_000


def test_arrow_memory_counts_once() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.array(list(range(100_000)))
    size = graphs.asizeof(column)
    assert 800_000 <= size < 830_000
    half = column.slice(50_000)
    assert graphs.asizeof([column, half]) - size < 1000
    table = pyarrow.table({"x": column, "y": column})
    assert graphs.asizeof(table) - size < 1000
    assert graphs.asizeof([table, table.to_batches()[0]]) - size < 1500
    assert graphs.asizeof(pyarrow.allocate_buffer(5000)) >= 5000


def test_arrow_memory_over_bytes_counts_once() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    raw = bytes(range(256)) * 400
    buffer = pyarrow.py_buffer(raw)
    alone = graphs.asizeof(buffer)
    assert len(raw) <= alone < len(raw) + 500
    for order in ([raw, buffer], [buffer, raw], [buffer.slice(1000), raw, buffer]):
        assert len(raw) <= graphs.asizeof(order) < len(raw) + 1000
    assert sum(graphs.asizesof(buffer, raw)) == graphs.asizeof(buffer, raw)
    assert graphs.asizeof(buffer, bytearray(5000)) >= alone + 5000


def test_a_table_that_was_read_from_bytes_counts_once() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"x": list(range(20_000)), "y": [1.5] * 20_000})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    raw = sink.getvalue().to_pybytes()
    read = pyarrow.ipc.open_stream(raw).read_all()
    assert 320_000 <= graphs.asizeof(read) < len(raw) + 2000
    assert len(raw) <= graphs.asizeof([read, raw]) < len(raw) + 3000


def test_arrow_memory_of_an_array_counts_once() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    array = numpy.arange(50_000)
    column = pyarrow.array(array)
    assert 400_000 <= graphs.asizeof(array, column) < 402_000
    turned = numpy.asfortranarray(numpy.zeros((200, 300)))
    seen = pyarrow.py_buffer(turned.T)
    assert turned.nbytes <= graphs.asizeof(seen, turned) < turned.nbytes + 1000


def test_a_mapped_file_that_cannot_be_written(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(50_000))
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping,
    ):
        assert 50_000 <= graphs.asizeof(mapping) < 50_500


def test_a_mapped_file(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(50_000))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        assert 50_000 <= graphs.asizeof(mapping) < 50_500
        assert graphs.asizeof([mapping, memoryview(mapping)]) < 51_000
        array = numpy.frombuffer(mapping, dtype=numpy.uint8)
        assert 50_000 <= graphs.asizeof(array) < 51_000
        del array
    gc.collect()
    assert graphs.asizeof(mapping) < 1000  # closed


def test_memory_of_a_device_is_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch is stood in for by a module with a storage of its kind: only how it is
    registered and told apart is tested here."""

    class UntypedStorage:
        def __init__(self, device: str) -> None:
            self.device = device

        def data_ptr(self) -> int:
            return 4096

        def nbytes(self) -> int:
            return 1 << 20

    class Tensor:
        def __init__(self, storage: UntypedStorage) -> None:
            self.storage = storage

        def untyped_storage(self) -> UntypedStorage:
            return self.storage

    module = types.ModuleType("torch")
    module.Tensor = Tensor  # type: ignore[attr-defined]
    module.UntypedStorage = UntypedStorage  # type: ignore[attr-defined]
    on_device = UntypedStorage("cuda:0")
    tensors = [Tensor(on_device), Tensor(on_device), Tensor(UntypedStorage("cpu"))]
    assert graphs.sizes(tensors).devices == {}
    monkeypatch.setitem(sys.modules, "torch", module)
    found = graphs.sizes(tensors)
    assert found.devices == {"cuda:0": 1 << 20}
    assert 1 << 20 <= found.total < (1 << 20) + 5000


@pytest.mark.parametrize("pooled", [False, True])
def test_an_array_of_a_device_is_told_by_its_interface(
    monkeypatch: pytest.MonkeyPatch, pooled: bool
) -> None:
    """cupy is stood in for by what all such arrays have."""

    class ndarray:
        nbytes = 8000

        def __init__(self) -> None:
            if pooled:
                memory = types.SimpleNamespace(ptr=1 << 30, size=1 << 16)
                self.data = types.SimpleNamespace(mem=memory)
                self.device = types.SimpleNamespace(id=1)

        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            return {
                "data": ((1 << 30) + 512, False),
                "shape": (1000,),
                "typestr": "<f8",
            }

    module = types.ModuleType("cupy")
    module.ndarray = ndarray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", module)
    found = graphs.sizes([ndarray(), ndarray()])
    assert found.devices == ({"cuda:1": 1 << 16} if pooled else {"cuda": 8000})
    assert found.total < 5000


def test_a_provider_of_ones_own_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        def __init__(self, *pieces: tuple[int, int]) -> None:
            self.pieces = pieces

    module = types.ModuleType("thirdparty")
    module.Frame = Frame  # type: ignore[attr-defined]
    held = [bytes(5000)]

    def provide(frame: Frame) -> Contents:
        if not frame.pieces:
            raise ValueError("half built")
        buffers = tuple(Buffer(start, end - start) for start, end in frame.pieces)
        return Contents(buffers, (held,))

    from nbprobe.graphs import buffers

    monkeypatch.setattr(buffers, "_PROVIDERS", {})
    register("thirdparty", ("Frame",), provide)
    frames = [Frame((0, 1000)), Frame((500, 1500)), Frame((3000, 3100), (900, 3050))]
    without = graphs.asizeof(frames)
    monkeypatch.setitem(sys.modules, "thirdparty", module)
    assert graphs.asizeof(frames) - without == 3100 + graphs.asizeof(held)
    assert graphs.asizeof(Frame()) < 1000


def test_nothing_is_imported_to_look() -> None:
    import subprocess

    code = (
        "import sys; from nbprobe import graphs; graphs.asizeof([1]);"
        "print([name for name in ('numpy', 'pandas', 'pyarrow', 'torch')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"align": 3}, "align must be a power of 2, and is 3"),
        ({"limit": -1}, "limit must not be negative, and is -1"),
        ({"stats": 1}, "stats are not printed here"),
        ({"exclude": ["x"]}, "excluded must be types"),
    ],
)
def test_bad_arguments_get_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        graphs.asizeof([1], **options)


def test_looking_changes_nothing() -> None:
    class Thing:
        def __init__(self) -> None:
            self.x = {"y": [1.5]}

    things = [Thing() for _ in range(10)]
    for _ in range(5):
        graphs.asizeof(things)
    gc.collect()
    counts = [sys.getrefcount(it) for it in things]
    tracked, blocks = len(gc.get_objects()), sys.getallocatedblocks()
    for _ in range(50):
        graphs.asizeof(things)
    gc.collect()
    assert [sys.getrefcount(it) for it in things] == counts
    assert len(gc.get_objects()) - tracked <= 1
    assert sys.getallocatedblocks() - blocks < 50


def test_sizes_add_up_over_calls() -> None:
    inner = [[1, 2], "abc"]
    outer = [inner, [3]]
    ours, theirs = graphs.Asizer(), asizeof.Asizer()
    for sizer in (ours, theirs):
        assert sizer.asizeof(outer) == graphs.asizeof(outer)
        assert sizer.asizeof(inner) == 0
        assert sizer.asizesof(inner, outer) == (0, 0)
        assert sizer.total == graphs.asizeof(outer)
    for sizer in (ours, theirs):
        sizer.reset()
        sizer.exclude_types(str)
        sizer.exclude_refs(inner)
    assert ours.asizeof(outer) == theirs.asizeof(outer) < graphs.asizeof([[3]]) + 50
    assert ours.asizeof(inner) == theirs.asizeof(inner)
    ours.reset(align=64)
    assert ours.asizeof([]) == 64
    ours.set(align=8)
    found = ours.asized({"k": [1]}, detail=1)
    assert isinstance(found, graphs.Asized) and len(found.refs) == 2


def test_what_an_object_holds_by_itself() -> None:
    class Pair:
        def __init__(self) -> None:
            self.left = [1]
            self.right = "r"

    pair = Pair()
    assert graphs.named_refs(pair) == [("left", [1]), ("right", "r")]
    assert graphs.named_refs({"k": 10**9}) == [("k", 10**9)]
    assert list(graphs.refs([pair, pair, int])) == [pair]
