"""Our entries merged with a person's own, in files and settings that both write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


def merge_settings(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Deep merge: objects join, lists join (theirs first), and if both say something else, ours stays."""
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
