"""Tool calls in a stream of chat completions, told apart in all the ways in which providers send them.

The API's own way is an index for each call, its id and name once, and its arguments in pieces. Others send every call
at index 0 or none, repeat id and name with each piece, send the id last or another one with each piece, the arguments
so far or all of them again, or as an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptster.capture.providers.interface import is_object, load, mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.providers.interface import Json

_MAX_CALLS = 1000
_MAX_BEGINNINGS = 64
"""Pieces that are tried as the beginning of a call's arguments, where the first is not it."""


@dataclass(kw_only=True)
class _Call:
    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    given: Json = None
    """The arguments where they came as an object."""

    def has_begun(self) -> bool:
        """Whether any of its arguments have come."""
        return is_object(self.given) or any(self.pieces)

    def whole(self) -> Json:
        """Its arguments, once they are whole: other ones behind them belong to another call."""
        told = self.given if is_object(self.given) else load("".join(self.pieces))
        return told if is_object(told) else None

    def arguments(self) -> Json:
        """The arguments as the stream gave them; text where they came as text."""
        if is_object(self.given):
            return self.given
        return _text(self.pieces)


class StreamedCalls:
    """The calls of one answer, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def take(self, told: Mapping[str, Json], *, is_whole: bool = False, is_further: bool = False) -> None:
        """Take one entry of ``tool_calls``: a call, or a piece of one.

        Args:
            told: the entry.
            is_whole: whether it is a call of an answer that was not streamed.
            is_further: whether another entry stands before it in the same list.
        """
        function = mapping(told.get("function"))
        index = told.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else None
        identifier, name, given = text_of(told.get("id")), text_of(function.get("name")), function.get("arguments")
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
        """The calls as an answer that was not streamed has them."""
        return [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments()}}
            for call in self._calls
            if call.name or call.has_begun()
        ]

    def _known(self, index: int | None, identifier: str, name: str) -> _Call | None:
        """The call that an entry may be a piece of: with its id, else the latest at its index or of all."""
        same = [call for call in self._calls if index is None or call.index == index]
        if identifier:
            named = next((call for call in reversed(same) if call.id == identifier), None)
            if named is not None or (index is None and name):
                return named
        return same[-1] if same else None


def _begins_another(known: _Call, identifier: str, name: str, given: Json) -> bool:
    """Whether an entry that stands where a known call does is another call all the same."""
    if identifier and known.id and identifier != known.id:
        return bool(name) or not known.has_begun() or known.whole() is not None
    if not name or not known.has_begun():
        return False
    if name != known.name:
        return True
    told = given if is_object(given) else load(text_of(given))
    return is_object(told) and (whole := known.whole()) is not None and told != whole


def _with_piece(known: str, piece: str) -> str:
    """A name with its next piece, where it is not the same name again."""
    return piece if piece.startswith(known) else known if known.startswith(piece) else known + piece


def _text(pieces: list[str]) -> str:
    """Arguments out of their pieces: what joins to an object, be it that the stream began them anew on the way."""
    whole = "".join(pieces)
    if is_object(load(whole)):
        return whole
    beginnings = [at for at, piece in enumerate(pieces) if at and piece.lstrip().startswith("{")]
    for at in beginnings[-_MAX_BEGINNINGS:]:
        if is_object(load(again := "".join(pieces[at:]))):
            return again
    once = "".join(piece for at, piece in enumerate(pieces) if not at or piece != pieces[at - 1])
    return once if is_object(load(once)) else whole
