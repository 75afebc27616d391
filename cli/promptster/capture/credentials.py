"""Removes credentials from everything that is recorded, for example an echo in an error or a printed environment.

The header fields that contain credentials are never recorded. Their values are kept here, only in memory, so that the
same characters are removed wherever else they occur.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

REMOVED: Final = "[credential removed]"
"""The text that replaces a credential."""

_KEPT = 64
_SHORTEST = 16


class Credentials:
    """The latest credentials that agents have sent to their providers."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, values: Iterable[bytes]) -> None:
        """Remove these from now on, except values of fewer than 16 characters, which could be ordinary words."""
        for value in values:
            if len(value) >= _SHORTEST:
                self._known[value.decode("latin-1")] = None
                self._known.move_to_end(value.decode("latin-1"))
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def removed_from(self, value: Any) -> Any:
        """A field's value, JSON or bytes, without any credential; the same object if it contains none."""
        if isinstance(value, bytes):
            for known in self._known:
                value = value.replace(known.encode("latin-1"), REMOVED.encode())
            return value
        if isinstance(value, str):
            return self._replaced(value)
        if not self._occurs_in(value):
            return value
        try:
            return json.loads(self._replaced(json.dumps(value, ensure_ascii=False)))
        except (RecursionError, ValueError):  # nested too deeply, or a credential was part of a number
            return REMOVED

    def _replaced(self, text: str) -> str:
        for known in self._known:
            text = text.replace(known, REMOVED)
        return text

    def _occurs_in(self, value: object) -> bool:
        """Whether any text inside contains a credential; most values contain none, so this check is fast."""
        left = [value] if self._known else []
        while left:
            item = left.pop()
            if isinstance(item, str):
                if len(item) >= _SHORTEST and any(known in item for known in self._known):
                    return True
            elif isinstance(item, Mapping):
                inner = cast("Mapping[object, object]", item)
                left.extend(inner)
                left.extend(inner.values())
            elif isinstance(item, (list, tuple)):
                left.extend(cast("list[object]", item))
        return False
