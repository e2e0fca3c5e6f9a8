"""Two looks at many live blocks, and their difference."""

from __future__ import annotations

import tracemalloc
from typing import Any

from .timing import seconds


def compare(blocks: int) -> None:
    """Two looks at `blocks` live blocks from some thousand lines, and their difference."""
    from nbprobe import _core
    from nbprobe._core import Allocations

    lines = "".join(
        f"def f{n}(): return [bytes(20) for _ in range(count)]\n" for n in range(2000)
    )
    space: dict[str, Any] = {"count": blocks // 2000}
    exec(compile(lines, "lines.py", "exec"), space)
    makers = [space[f"f{number}"] for number in range(2000)]

    print(
        f"\n{blocks:,} live blocks from 2,000 lines: seconds for two snapshots and their difference"
    )
    with Allocations(_core.ALLOCATIONS_SITES) as counted:
        kept = [maker() for maker in makers[:1000]]
        first_s, first = seconds(counted.table)
        kept += [maker() for maker in makers[1000:]]
        second_s, second = seconds(counted.table)
    compare_s, _ = seconds(
        lambda: {
            key: tuple(
                a - b for a, b in zip(row, first.get(key, (0,) * 8), strict=True)
            )
            for key, row in second.items()
            if row != first.get(key)
        }
    )
    ours = first_s + second_s + compare_s
    print(f"ours         {first_s:.4f} + {second_s:.4f} + {compare_s:.4f} = {ours:.4f}")
    assert counted.current_blocks >= 0.99 * blocks
    kept.clear()
    tracemalloc.start(1)
    kept = [maker() for maker in makers[:1000]]
    first_s, one = seconds(tracemalloc.take_snapshot)
    kept += [maker() for maker in makers[1000:]]
    second_s, two = seconds(tracemalloc.take_snapshot)
    compare_s, _ = seconds(lambda: two.compare_to(one, "lineno"))
    tracemalloc.stop()
    theirs = first_s + second_s + compare_s
    print(
        f"tracemalloc  {first_s:.4f} + {second_s:.4f} + {compare_s:.4f} = {theirs:.4f}"
    )
    print(f"ratio {theirs / ours:.0f}")
