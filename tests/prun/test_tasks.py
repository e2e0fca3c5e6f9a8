"""asyncio's tasks in the trees."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from nbprobe.prun import Profile, ProfileResult


async def leaf(n: int) -> int:
    await asyncio.sleep(0)
    return sum(range(n))


async def job(n: int, turns: int = 3) -> None:
    for _ in range(turns):
        await leaf(n)


async def jobs() -> None:
    await asyncio.gather(
        *(
            asyncio.create_task(job(10**exponent), name=f"job {exponent}")
            for exponent in (3, 4, 5)
        )
    )


def profiled(main: Coroutine[Any, Any, None], **options: Any) -> ProfileResult:
    profile = Profile(**options)
    profile.runcall(asyncio.run, main)
    return profile.result()


def below_tasks(result: ProfileResult) -> dict[str, Any]:
    """Give for each task its starts and resumptions, and the counts of what is below it."""
    (thread,) = (t for t in result.threads if t.ident == threading.get_ident())
    names = [result.functions[function].name for function in thread.function]
    children = thread.children()
    found: dict[str, Any] = {}
    for index, name in enumerate(names):
        if not name.startswith("<task "):
            continue
        inside: dict[str, tuple[int, int]] = {}
        ahead = list(children[index])
        while ahead:
            node = ahead.pop()
            ahead += children[node]
            starts, resumes = inside.get(names[node], (0, 0))
            inside[names[node]] = (
                starts + thread.calls[node],
                resumes + thread.resumes[node],
            )
        found[name] = (thread.calls[index], thread.resumes[index], inside)
    return found


def test_each_task_has_its_own_tree() -> None:
    found = below_tasks(profiled(jobs(), tasks=True))
    for exponent in (3, 4, 5):
        calls, resumes, inside = found[f"<task job {exponent}: job>"]
        assert (calls, resumes) == (1, 3)
        assert inside["job"] == (1, 3)
        assert inside["leaf"] == (3, 3)
        assert inside["<built-in method builtins.sum>"] == (3, 0)


def test_each_task_has_its_own_time() -> None:
    def times() -> list[float]:
        result = profiled(jobs(), tasks=True)
        (thread,) = (t for t in result.threads if t.ident == threading.get_ident())
        names = [result.functions[function].name for function in thread.function]
        return [
            thread.inclusive_ns[names.index(f"<task job {exponent}: job>")]
            for exponent in (3, 4, 5)
        ]

    # The fastest of some runs, for any one may be interrupted by another program.
    best = [min(each) for each in zip(*(times() for _ in range(5)), strict=True)]
    assert 5 * best[0] < best[1] < best[2] / 5


def test_without_functions_in_c_too() -> None:
    found = below_tasks(profiled(jobs(), tasks=True, builtins=False))
    assert found["<task job 4: job>"][:2] == (1, 3)
    assert found["<task job 4: job>"][2]["leaf"] == (3, 3)


def test_tasks_are_told_apart_only_when_asked() -> None:
    plain, apart = profiled(jobs()), profiled(jobs(), tasks=True)
    assert not below_tasks(plain)

    def counts(result: ProfileResult) -> dict[Any, Any]:
        return {
            label[2]: row[:2]
            for label, row in result.stats().stats.items()  # type: ignore[attr-defined]
            if label[2] in ("job", "leaf", "jobs", "<built-in method builtins.sum>")
        }

    assert counts(plain) == counts(apart)
    assert len(counts(plain)) == 4


def test_a_coroutine_driven_by_hand_is_no_task() -> None:
    def drive(coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            while True:
                coroutine.send(None)
        except StopIteration:
            pass

    profile = Profile(tasks=True)
    profile.runcall(drive, job(10))
    assert not below_tasks(profile.result())


def test_a_task_that_fails_or_is_cancelled_ends() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async def wait() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        tasks = [
            asyncio.create_task(fail(), name="fails"),
            asyncio.create_task(wait(), name="waits"),
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await leaf(10)

    found = below_tasks(profiled(main(), tasks=True))
    prefix = "test_a_task_that_fails_or_is_cancelled_ends.<locals>."
    assert found[f"<task fails: {prefix}fail>"][0] == 1
    assert found[f"<task waits: {prefix}wait>"][0] == 1
    (of_main,) = (figures for name, figures in found.items() if f"{prefix}main" in name)
    assert "fail" not in of_main[2] and "leaf" in of_main[2]
