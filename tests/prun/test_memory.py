"""Allocations in the trees."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from nbprobe.prun import Profile, ProfileResult, Thread
from nbprobe.results import load

MEGABYTE = 2**20


def hold(megabytes: int) -> bytearray:
    return bytearray(megabytes * MEGABYTE)


def several() -> list[bytearray]:
    return [hold(1), hold(2), hold(3)]


def nothing(value: int) -> int:
    return value


# Long enough that the offsets of its calls are ints that are made for every event.
LONG = "def long(f, g):\n" + "    f(1); g(1)\n" * 300


def long() -> Any:
    names: dict[str, Any] = {}
    exec(LONG, names)
    return names["long"]


def allocated(result: ProfileResult) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for thread in result.threads:
        for index, function in enumerate(thread.function):
            name = result.functions[function].name
            size, blocks = found.get(name, (0, 0))
            found[name] = (
                size + thread.allocated_bytes[index],
                blocks + thread.allocated_blocks[index],
            )
    return found


def profiled(function: Any, *arguments: Any) -> ProfileResult:
    profile = Profile(memory=True)
    profile.runcall(function, *arguments)
    return profile.result("several()")


def test_what_is_allocated_is_the_callees_own() -> None:
    profiled(several)  # what the interpreter keeps for a function that runs first
    found = allocated(profiled(several))
    size, blocks = found["hold"]
    assert 6 * MEGABYTE <= size < 6 * MEGABYTE + 1000
    assert 3 <= blocks <= 9
    assert found["several"][0] < 10_000


def test_events_themselves_are_not_counted() -> None:
    function = long()
    function(nothing, callable)
    found = allocated(profiled(function, nothing, callable))
    for name in ("nothing", "<built-in method builtins.callable>"):
        assert found[name] == (0, 0)
    # On 3.11 the interpreter copies the code of a function that it traces, once.
    assert found["long"][1] <= 2


def test_threads_have_their_own_counters() -> None:
    def work() -> None:
        worker = threading.Thread(target=hold, args=(5,), name="worker")
        worker.start()
        hold(1)
        worker.join()

    result = profiled(work)
    # The two that allocate most: those of whoever runs the tests may be beside them.
    sizes = sorted(sum(thread.allocated_bytes) for thread in result.threads)[-2:]
    assert MEGABYTE <= sizes[0] < 2 * MEGABYTE
    assert 5 * MEGABYTE <= sizes[1] < 6 * MEGABYTE


def test_hidden_functions_give_their_allocations_to_their_callers() -> None:
    result = profiled(several)
    whole = sum(size for size, _ in allocated(result).values())
    part = result.select(hide=[r"\(hold\)"]).selected()
    assert allocated(part)["several"][0] > 6 * MEGABYTE
    assert sum(size for size, _ in allocated(part).values()) == whole


def test_they_are_shown_saved_and_tabled(tmp_path: Path) -> None:
    result = profiled(several)
    text = str(result)
    assert "By allocations\nallocated" in text and "6 MiB" in text
    assert "By allocations" in result._repr_mimebundle_()["text/html"]
    result.save(tmp_path / "a.json")
    assert load(tmp_path / "a.json") == result
    assert result.records()[0]["allocated_blocks"] >= 0


def test_without_being_asked_nothing_is_counted() -> None:
    profile = Profile()
    profile.runcall(several)
    result = profile.result()
    assert not profile.memory and not result.memory
    assert "allocated_bytes" not in result.records()[0]
    assert "By allocations" not in str(result)


def test_columns_must_be_equally_long() -> None:
    thread, *_ = profiled(several).threads
    values = {name: getattr(thread, name) for name in Thread.__slots__}
    with pytest.raises(ValueError, match="equally long"):
        Thread(**values | {"allocated_bytes": (1,)})
