"""Credentials taken out of what is recorded, wherever they show up: an echo in an error, a printed environment.

The header fields that carry them are never recorded. What they carried is known here, in memory alone, so that the same
characters are not recorded from elsewhere either.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

REMOVED: Final = "[credential removed]"
"""What stands in a credential's place."""

_KEPT = 64
_SHORTEST = 16


class Credentials:
    """The latest credentials that agents have shown to their providers."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def learn(self, values: Iterable[bytes]) -> None:
        """Know these from now on; values of fewer than 16 characters could be words, and are not taken out."""
        for value in values:
            if len(value) >= _SHORTEST:
                self._known[value.decode("latin-1")] = None
                self._known.move_to_end(value.decode("latin-1"))
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def taken_out(self, value: Any) -> Any:
        """A field's value, JSON or bytes, without any of them; the value itself when it holds none."""
        if isinstance(value, bytes):
            for known in self._known:
                value = value.replace(known.encode("latin-1"), REMOVED.encode())
            return value
        if isinstance(value, str):
            return self._out_of(value)
        if not self._stands_in(value):
            return value
        try:
            return json.loads(self._out_of(json.dumps(value, ensure_ascii=False)))
        except (RecursionError, ValueError):  # nested too deeply, or a number was a credential's word
            return REMOVED

    def _out_of(self, text: str) -> str:
        for known in self._known:
            text = text.replace(known, REMOVED)
        return text

    def _stands_in(self, value: object) -> bool:
        """Whether any text inside holds one; most values hold none, and are looked through quickly."""
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
