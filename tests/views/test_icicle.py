"""What an icicle's map is called."""

from __future__ import annotations

from nbprobe.views.icicle import Block, icicle


def test_equal_pictures_with_other_tooltips_have_other_maps() -> None:
    """A page takes the first map of a name: it would show another output's figures."""
    names = []
    for size in ("5 MiB", "7 MiB", "7 MiB"):
        drawn = icicle(
            [Block("work", "x.py", 1.0, title=f"work: {size}")], title="Bytes"
        )
        assert drawn is not None
        names.append(drawn.name)
    assert names[0] != names[1] == names[2]
