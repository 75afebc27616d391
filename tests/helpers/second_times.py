"""Absence, times and silence read a second time, from docs/protocol.md alone: nothing of ``promptster`` is imported.

It uses only Python's library, reads bundles whose signatures are valid (another reading checks those), and works out by
itself which of their events are proven.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import zipfile
from dataclasses import dataclass
from typing import Any

_RECORDER = {"opened", "closed", "capture_heartbeat", "capture_clock_jump", "capture_recovered"}
_SPOKEN_BY = {
    **{kind: {"recorder"} for kind in _RECORDER},
    "consent": {"candidate"},
    "submission_baseline": {"workspace"},
    "submission_final": {"workspace"},
    "paused": {"candidate", "recorder"},
    "resumed": {"candidate", "recorder"},
}
_FIVE_MINUTES = 300_000


@dataclass(frozen=True, kw_only=True)
class TimesReading:
    """What step 13 and the gaps of silence say."""

    notes: frozenset[str]
    silences: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class _Event:
    seq: int
    src: str
    word: str
    """The kind if the source may say it, else empty."""
    ms: int
    mono_ms: int
    received: int | None
    """When its batch was received."""
    knows: int | None
    """How many events it knows to have been received."""


def read_times(data: bytes) -> TimesReading:
    """Read a bundle whose signatures are valid."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    events = _proven(members)
    close = _payload(members["close.json"]) if "close.json" in members else None
    pieces = _pieces(events)
    notes = _absent(events, close)
    notes |= {"ahead" for event in events if event.received is not None and event.ms - event.received > _FIVE_MINUTES}
    notes |= {"backwards" for piece in pieces if _runs_backwards(piece)}
    notes |= {"pace" for piece in _stretches(pieces) if _contradicts(piece, events)}
    return TimesReading(notes=frozenset(notes), silences=tuple(_silent(pieces)))


def _b64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _payload(envelope: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_b64u(json.loads(envelope)["payload"]))
    return document


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _counts(values: bytes) -> dict[int, Any]:
    """The value of ``counts`` by seq."""
    found: dict[int, Any] = {}
    place = 0
    while place < len(values):
        seq, length = struct.unpack_from(">QI", values, place)
        place += 12
        end = place + length
        while place < end:
            (size,) = struct.unpack_from(">H", values, place)
            name = values[place + 2 : place + 2 + size]
            place += 2 + size + 16
            (size,) = struct.unpack_from(">I", values, place)
            if name == b"counts":
                found[seq] = json.loads(values[place + 5 : place + 4 + size])
            place += 4 + size
    return found


def _proven(members: dict[str, bytes]) -> list[_Event]:
    lines = {json.loads(line)["seq"]: line for line in members["events.jsonl"].splitlines()}
    receipts = {receipt["n"]: receipt for receipt in map(_payload, members["receipts.jsonl"].splitlines())}
    counts = _counts(members["values.bin"])
    events: list[_Event] = []
    for header in map(_payload, members["headers.jsonl"].splitlines()):
        numbers = range(header["first"], header["first"] + header["count"])
        if any(seq not in lines for seq in numbers) or _root([lines[seq] for seq in numbers]) != _b64u(header["root"]):
            continue
        received = receipts[header["n"]]["received_ms"] if header["n"] in receipts else None
        for seq in numbers:
            public, told = json.loads(lines[seq]), counts.get(seq)
            knows = told.get("received") if isinstance(told, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON
            own = public["src"] in _SPOKEN_BY.get(public["kind"], ())
            event = _Event(
                seq=seq,
                src=public["src"],
                word=public["kind"] if own else "",
                ms=public["ms"],
                mono_ms=public["mono_ms"],
                received=received,
                knows=knows if type(knows) is int and knows >= 1 else None,  # pyright: ignore[reportUnknownArgumentType] -- JSON
            )
            events.append(event)
    return events


def _pieces(events: list[_Event]) -> list[list[_Event]]:
    """The events in runs without a gap."""
    pieces: list[list[_Event]] = []
    for event in events:
        if not pieces or pieces[-1][-1].seq + 1 != event.seq:
            pieces.append([])
        pieces[-1].append(event)
    return pieces


def _absent(events: list[_Event], close: dict[str, Any] | None) -> set[str]:
    if [event.seq for event in events] != list(range(len(events))):
        return set()
    closed = bool(events) and events[-1].word == "closed"
    if not closed and (close is None or close["events"] != len(events)):
        return set()
    due = {"consent": "consent_missing", "opened": "opened_missing"}
    if closed or (close is not None and close["outcome"] == "submitted"):
        due |= {"submission_baseline": "baseline_missing", "submission_final": "final_missing"}
    return set(due.values()) - {due.get(event.word, "") for event in events}


def _jump_after(piece: list[_Event], place: int) -> bool:
    """Whether a jump is recorded after this place, before the next heartbeat."""
    for event in piece[place + 1 :]:
        if event.word in {"capture_clock_jump", "capture_heartbeat"}:
            return event.word == "capture_clock_jump"
    return False


def _runs_backwards(piece: list[_Event]) -> bool:
    highest: int | None = None
    for place, event in enumerate(piece):
        if event.src == "hook":
            continue
        if event.word == "capture_clock_jump" or highest is None:
            highest = event.ms
        elif event.ms < highest - 5000 and not _jump_after(piece, place):
            return True
        highest = max(highest, event.ms)
    return False


def _stretches(pieces: list[list[_Event]]) -> list[list[_Event]]:
    """The heartbeats that count, of each stretch."""
    found: list[list[_Event]] = []
    resting = False
    for piece in pieces:
        found.append([])
        for event in piece:
            if event.word in {"opened", "paused", "resumed", "capture_recovered", "capture_clock_jump"}:
                found.append([])
            if event.word in {"paused", "resumed"}:
                resting = event.word == "paused"
            elif event.word == "capture_heartbeat" and not resting:
                found[-1].append(event)
    return found


def _contradicts(beats: list[_Event], events: list[_Event]) -> bool:
    known = {event.seq: event.received for event in events if event.received is not None}
    least = [beat.ms - beat.received for beat in beats if beat.received is not None]
    most = [beat.ms - known[beat.knows - 1] for beat in beats if beat.knows is not None and beat.knows - 1 in known]
    return bool(least and most) and max(least) - min(most) > _FIVE_MINUTES


def _silent(pieces: list[list[_Event]]) -> list[tuple[int, int]]:
    ends = {"paused", "submission_final", "closed"}
    signs = {"capture_heartbeat", "opened", "resumed", "capture_recovered"}
    found: list[tuple[int, int]] = []
    resting = False
    for piece in pieces:
        for place, event in enumerate(piece):
            resting = event.word in ends or (resting and event.word != "resumed")
            if event.word not in signs or resting:
                continue
            later = range(place + 1, len(piece))
            until = next((at for at in later if piece[at].word in ends | signs), None)
            if until is None or piece[until].word in signs - {"capture_heartbeat"}:
                continue
            other = piece[until]
            told = any(each.word == "capture_clock_jump" for each in piece[place:until])
            told = told or (other.word in ends and _jump_after(piece, until))
            if other.mono_ms - event.mono_ms > 120_000 or (other.ms - event.ms > 120_000 and not told):
                found.append((event.seq, other.seq))
    return found
