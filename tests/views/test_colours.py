"""The colours: legible on both of the pages that there are."""

from __future__ import annotations

import pytest

from nbprobe.views import colours

PALETTE = [name for name in colours.__all__ if name.isupper()]


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
@pytest.mark.parametrize("name", PALETTE)
def test_contrast(name: str, background: str) -> None:
    dark, light = sorted([luminance(getattr(colours, name)), luminance(background)])
    assert (light + 0.05) / (dark + 0.05) >= 4


def test_rgba() -> None:
    assert colours.rgba("#0180ff", 0.3) == "rgba(1, 128, 255, 0.30)"
