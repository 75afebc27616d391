"""Assembles the tool calls in a stream of chat completions, in all the variants that providers send.

OpenAI sends an index for each call, its id and name once, and its arguments in pieces. Other providers use index 0 or
none for every call, repeat id and name with each piece, send the id last or a different id with each piece, repeat the
arguments, or send them as an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptster.capture.providers.interface import is_object, load, mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.protocol.events.base import Json

_MAX_CALLS = 1000
_MAX_BEGINNINGS = 64
"""Most pieces that are tried as the beginning of a call's arguments, if the first one is not."""


@dataclass(kw_only=True)
class _Call:
    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    given: Json = None
    """The arguments, if they came as an object."""

    def has_begun(self) -> bool:
        """Whether any of its arguments have arrived."""
        return is_object(self.given) or any(self.pieces)

    def whole(self) -> Json:
        """Its arguments if they are complete; any further arguments belong to another call."""
        complete = self.given if is_object(self.given) else load("".join(self.pieces))
        return complete if is_object(complete) else None

    def arguments(self) -> Json:
        """The arguments in the form in which the stream sent them: an object or text."""
        if is_object(self.given):
            return self.given
        return _text(self.pieces)


class StreamedCalls:
    """The calls of one answer, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def take(self, entry: Mapping[str, Json], *, is_whole: bool = False, is_further: bool = False) -> None:
        """Take one entry of ``tool_calls``: a call, or a piece of one.

        Args:
            entry: the entry.
            is_whole: whether it is a call of an answer that was not streamed.
            is_further: whether it is not the first entry of its list.
        """
        function = mapping(entry.get("function"))
        index = entry.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else None
        identifier, name, given = text_of(entry.get("id")), text_of(function.get("name")), function.get("arguments")
        is_unnamed = index is None and not identifier
        known = None if is_whole or (is_further and is_unnamed and name) else self._known(index, identifier, name)
        if known is None or _begins_another(known, identifier, name, given):
            if len(self._calls) >= _MAX_CALLS:
                return
            known = _Call(index=index)
            self._calls.append(known)
        known.id = known.id or identifier
        known.name = _with_piece(known.name, name)
        if is_object(given):
            known.given = given
        elif text_of(given):
            known.pieces.append(text_of(given))

    def joined(self) -> list[dict[str, Any]]:
        """The calls in the form of an answer that was not streamed."""
        return [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments()}}
            for call in self._calls
            if call.name or call.has_begun()
        ]

    def _known(self, index: int | None, identifier: str, name: str) -> _Call | None:
        """The call that an entry may continue: the one with its id, else the latest at its index or of all."""
        same = [call for call in self._calls if index is None or call.index == index]
        if identifier:
            named = next((call for call in reversed(same) if call.id == identifier), None)
            if named is not None or (index is None and name):
                return named
        return same[-1] if same else None


def _begins_another(known: _Call, identifier: str, name: str, given: Json) -> bool:
    """Whether an entry at the place of a known call is nevertheless another call."""
    if identifier and known.id and identifier != known.id:
        return bool(name) or not known.has_begun() or known.whole() is not None
    if not name or not known.has_begun():
        return False
    if name != known.name:
        return True
    new = given if is_object(given) else load(text_of(given))
    return is_object(new) and (whole := known.whole()) is not None and new != whole


def _with_piece(known: str, piece: str) -> str:
    """A name with its next piece, unless the piece repeats the name."""
    return piece if piece.startswith(known) else known if known.startswith(piece) else known + piece


def _text(pieces: list[str]) -> str:
    """Arguments joined from their pieces to an object, even if the stream began them again on the way."""
    whole = "".join(pieces)
    if is_object(load(whole)):
        return whole
    beginnings = [at for at, piece in enumerate(pieces) if at and piece.lstrip().startswith("{")]
    for at in beginnings[-_MAX_BEGINNINGS:]:
        if is_object(load(again := "".join(pieces[at:]))):
            return again
    once = "".join(piece for at, piece in enumerate(pieces) if not at or piece != pieces[at - 1])
    return once if is_object(load(once)) else whole
