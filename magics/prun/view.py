"""How profiles are shown."""

from __future__ import annotations

from ..views.dispatch import Views
from . import view_difference, view_pairs, view_profile
from .difference import ProfileDiff
from .imported import PairProfile
from .result import ProfileResult

__all__ = ["headline", "html", "text"]

_VIEWS = Views(
    {
        PairProfile: view_pairs,
        ProfileDiff: view_difference,
        ProfileResult: view_profile,
    }
)

headline, text, html = _VIEWS.headline, _VIEWS.text, _VIEWS.html
