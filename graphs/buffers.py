"""Memory that objects show and do not own: whose it is, and where.

Views of arrays, columns of tables and tensors share memory that no Python object reports:
`sys.getsizeof` counts it twice or not at all. Here memory is known by its address and its
length, so that it counts once, however many objects show it; that of a device has a place
of its own. numpy's arrays are not here: what they hold is read by the C core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core import shown_memory

__all__ = ["Buffer", "Contents", "Provider", "contents_of", "register", "special_types"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A piece of memory.

    Attributes
    ----------
    address : int
    size : int
        Bytes.
    device : str
        Empty for this machine's main memory, else as the library writes it: ``'cuda:0'``.
    """

    address: int
    size: int
    device: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an object holds that the collector does not see.

    Attributes
    ----------
    buffers : tuple of Buffer
    objects : tuple
        Python objects, whose own contents are looked at in turn.
    """

    buffers: tuple[Buffer, ...] = ()
    objects: tuple[Any, ...] = ()


Provider = Callable[[Any], Contents]

# By module: names of types in it, and who knows their contents. Only modules that are
# loaded are ever looked into.
_PROVIDERS: dict[str, list[tuple[tuple[str, ...], Provider]]] = {}


def register(module: str, names: tuple[str, ...], provider: Provider) -> None:
    """Say what objects of some types hold.

    Parameters
    ----------
    module : str
        The module that has the types. It is not imported: as long as nobody else does,
        there are no such objects.
    names : tuple of str
        Of the types in it; subclasses are included.
    provider : callable
        Gives the `Contents` of such an object. It is called by the functions that add up
        sizes, and must not change the object.
    """
    _PROVIDERS.setdefault(module, []).append((names, provider))


def special_types() -> tuple[type, ...]:
    """Give the types of loaded modules that have a provider."""
    return tuple(_providers())


def _providers() -> dict[type, Provider]:
    found: dict[type, Provider] = {}
    for module, rows in _PROVIDERS.items():
        loaded = sys.modules.get(module)
        for names, provider in rows if loaded is not None else ():
            for name in names:
                cls = vars(loaded).get(name)
                if isinstance(cls, type):
                    found[cls] = provider
    return found


def contents_of(value: object) -> Contents:
    """Give what an object of a special type holds; nothing when its provider fails.

    A library's object may be half built or closed, and a size is not worth an exception.
    """
    providers = _providers()
    for cls in type(value).__mro__:
        if cls in providers:
            try:
                return providers[cls](value)
            except Exception:
                return Contents()
    return Contents()


def _mapping(value: Any) -> Contents:
    """Give the memory of a mapped file."""
    return Contents((Buffer(*shown_memory(value)),))


def _cuda_array(value: Any) -> Contents:
    """Give the memory of an array of a device, by the interface that such have."""
    described = value.__cuda_array_interface__
    size = value.nbytes
    place = getattr(value, "device", "")
    # cupy's views share what `data.mem` is; others tell of no more than their own.
    memory = getattr(getattr(value, "data", None), "mem", None)
    address = getattr(memory, "ptr", None) or described["data"][0]
    size = getattr(memory, "size", None) or size
    number = getattr(place, "id", None)
    name = "cuda" if number is None else f"cuda:{number}"
    return Contents((Buffer(int(address), int(size), name),))


def _arrow_array(value: Any) -> Contents:
    return Contents(tuple(map(_arrow_memory, filter(None, value.buffers()))))


def _arrow_memory(buffer: Any) -> Buffer:
    place = "" if buffer.is_cpu else "device"
    return Buffer(buffer.address, buffer.size, place)


def _arrow_chunks(value: Any) -> Contents:
    parts = map(_arrow_array, value.chunks)
    return Contents(tuple(it for part in parts for it in part.buffers))


def _arrow_table(value: Any) -> Contents:
    parts = map(_arrow_chunks, value.columns)
    return Contents(tuple(it for part in parts for it in part.buffers))


def _arrow_batch(value: Any) -> Contents:
    parts = map(_arrow_array, value.columns)
    return Contents(tuple(it for part in parts for it in part.buffers))


def _tensor(value: Any) -> Contents:
    return _storage(value.untyped_storage())


def _storage(value: Any) -> Contents:
    device = str(value.device)
    place = "" if device == "cpu" else device
    return Contents((Buffer(value.data_ptr(), value.nbytes(), place),))


register("mmap", ("mmap",), _mapping)
register("pyarrow", ("Buffer",), lambda value: Contents((_arrow_memory(value),)))
register("pyarrow", ("Array",), _arrow_array)
register("pyarrow", ("ChunkedArray",), _arrow_chunks)
register("pyarrow", ("Table",), _arrow_table)
register("pyarrow", ("RecordBatch",), _arrow_batch)
register("torch", ("Tensor",), _tensor)
register("torch", ("UntypedStorage",), _storage)
register("cupy", ("ndarray",), _cuda_array)
register("numba.cuda.cudadrv.devicearray", ("DeviceNDArray",), _cuda_array)
