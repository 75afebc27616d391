"""What people may type instead of an id: its first characters, or a unique title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.errors import CollectorError, UsageError
from promptster.replay.invisible_characters import is_encodable
from promptster.ui.escape import escape_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from promptster.client import CollectorClient

SHORTEST = 4
"""The fewest characters that are accepted as the beginning of an id."""
_SHOWN = 8
_LISTED = 5


def shortened(ids: Collection[str]) -> dict[str, str]:
    """The short form of each id: its first 8 characters, or more if two ids begin alike."""
    found: dict[str, str] = {}
    for each in ids:
        length = _SHOWN
        while length < len(each) and any(other != each and other.startswith(each[:length]) for other in ids):
            length += 1
        found[each] = each[:length]
    return found


def the_one(text: str, ids: Iterable[str], *, what: str) -> str | None:
    """The id that was typed in full or by its first characters; ``None`` if there is no match.

    Raises:
        UsageError: several ids match.
    """
    known = list(ids)
    if text in known:
        return text
    found = [each for each in known if len(text) >= SHORTEST and each.startswith(text)]
    if len(found) > 1:
        raise _ambiguous(f"{len(found)} {what}s begin with {text}", found)
    return found[0] if found else None


def assessment_named(client: CollectorClient, text: str) -> dict[str, Any]:
    """The assessment with this id, this title, or an id that begins with the text.

    Raises:
        CollectorError: there is none.
        UsageError: there are several, or the text is empty.
    """
    if not text.strip() or not is_encodable(text):
        raise UsageError("no assessment given", hint="To see them: promptster assessment list")
    entries: list[dict[str, Any]] = client.assessments().get("assessments", [])
    by_id = {str(entry["id"]): entry for entry in entries}
    titled = [entry for entry in entries if entry.get("title") == text]
    if text not in by_id and len(titled) > 1:
        raise _ambiguous(f'{len(titled)} assessments have the title "{text}"', [str(entry["id"]) for entry in titled])
    if text not in by_id and titled:
        return titled[0]
    found = the_one(text, by_id, what="assessment")
    if found is None:
        raise CollectorError(
            f"no assessment named {text}",
            hint="To see them: promptster assessment list",
            code="unknown_assessment",
        )
    return by_id[found]


def _ambiguous(message: str, ids: Sequence[str]) -> UsageError:
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    listed = ", ".join(escape_line(each) for each in ids[:_LISTED])
    return UsageError(message, hint=f"Use the id of one of them: {listed}{more}.", code="ambiguous")
