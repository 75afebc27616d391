"""Merges our entries with the user's own, in files and settings that contain both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


def merge_settings(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Merge deeply: objects and lists are joined (theirs first); of two other values, ours is kept."""
    merged = dict(theirs)
    for key, value in ours.items():
        other = merged.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            merged[key] = merge_settings(cast("dict[str, Any]", other), cast("dict[str, Any]", value))
        elif isinstance(value, list) and isinstance(other, list):
            merged[key] = [*other, *value]
        else:
            merged[key] = value
    return merged
