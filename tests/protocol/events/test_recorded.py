"""Events: public bytes, commitments, values, blocks."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.world import Stream, World, public_with, with_block

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.errors import EventError, ProtocolError
from promptster.protocol.events import FIELD_TYPES, KINDS, Draft, PublicEvent, RecordedEvent, Source, compose, read_body
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.fields import (
    FRAME_EVENT,
    FRAME_SECRETS,
    MAX_BLOCK,
    MAX_INLINE,
    Block,
    Secret,
    commitment,
    encode_secrets,
    frame,
)
from promptster.protocol.events.kinds import (
    Closed,
    Kind,
    ModelRequest,
    Prompt,
    event_of,
)

_SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=20),
    "int": st.integers(-(2**53) + 1, 2**53 - 1),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=20),
    "json": st.none()
    | st.lists(st.integers())
    | st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False)),
}


@st.composite
def _drafts(draw: st.DrawFn) -> Draft:
    kind = draw(st.sampled_from(sorted(Kind)))
    names = draw(st.sets(st.sampled_from(sorted(KINDS[kind])))) if KINDS[kind] else set[str]()
    return Draft(
        src=draw(st.sampled_from(sorted(Source))),
        event=event_of(kind, {name: draw(_SAMPLES[FIELD_TYPES[name]]) for name in sorted(names)}),
        ms=draw(st.integers(0, 2**53 - 1)),
        mono_ms=draw(st.integers(0, 2**53 - 1)),
        lane=draw(st.integers(0, 50)),
        refs=tuple(draw(st.lists(st.integers(0, 6), max_size=4))),
    )


@given(_drafts())
def test_a_draft_comes_back_from_its_frames(draft: Draft) -> None:
    """Recording, framing, reading and opening lose nothing."""
    event = compose(draft, seq=7, src_seq=3, random=Stream("event"))
    [read] = read_body(event.frames())
    assert read == event
    opened = read.open()
    assert (opened.kind, opened.src, opened.seq, opened.src_seq) == (draft.kind, draft.src, 7, 3)
    assert (opened.ms, opened.mono_ms, opened.lane, opened.refs) == (draft.ms, draft.mono_ms, draft.lane, draft.refs)
    assert opened.event == draft.event
    assert opened.fields == draft.fields
    assert opened.shown == draft.fields.keys()
    assert opened.withheld == frozenset()
    assert (event.kind, event.src, event.complete) == (draft.kind, draft.src, True)


@given(_drafts(), st.data())
def test_no_changed_byte_is_the_same_event(draft: Draft, data: st.DataObject) -> None:
    """A change in the frames is refused by type, or makes another leaf."""
    event = compose(draft, seq=7, src_seq=3, random=Stream("event"))
    frames = bytearray(event.frames())
    place = data.draw(st.integers(0, len(frames) - 1))
    frames[place] ^= data.draw(st.integers(1, 255))
    try:
        read = read_body(bytes(frames))
    except EventError:
        return
    assert [item.leaf for item in read] != [event.leaf]


@given(st.binary(max_size=80))
def test_any_frames_are_read_or_refused_by_type(data: bytes) -> None:
    """Only an event error is ever raised."""
    try:
        assert read_body(data) == []
    except EventError:
        assert data


def test_a_leaf_says_nothing_about_its_values() -> None:
    """The same draft, recorded twice, has different salts, commitments and leaves."""
    draft = Draft(src=Source.HOOK, event=Prompt(text="yes"), ms=1, mono_ms=1)
    one, two = (compose(draft, seq=0, src_seq=0, random=os.urandom) for _ in range(2))
    assert one.leaf != two.leaf
    assert one.parsed.commitments != two.parsed.commitments


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"src": "screen"}, "event_source"),
        ({"event": OfAgent(agent="claude")}, "event_kind"),
        ({"event": event_of("prompt", {"text": 1})}, "field_type"),
        ({"ms": -1}, "event_number"),
        ({"lane": 1.5}, "event_number"),
        ({"refs": (4,)}, "event_refs"),
        ({"refs": (0,) * 257}, "event_refs"),
    ],
)
def test_a_draft_that_is_no_event_is_refused_at_once(changes: dict[str, Any], code: str) -> None:
    """It is refused before anything is stored, as the writer's error."""
    draft = Draft(src=Source.HOOK, event=Prompt(), ms=1, mono_ms=1)
    with pytest.raises(EventError) as caught:
        compose(dataclasses.replace(draft, **changes), seq=4, src_seq=0, random=os.urandom)
    assert (caught.value.code, caught.value.fault) == (code, "local")


def _long(**fields: object) -> RecordedEvent:
    draft = Draft(src=Source.PROXY, event=event_of("file_edit", fields), ms=1, mono_ms=1)
    return compose(draft, seq=0, src_seq=0, random=os.urandom)


def test_a_value_over_256_kib_travels_as_one_block() -> None:
    """At the limit the value is inside its event; one byte above it is a block."""
    inside = _long(before="x" * MAX_INLINE)
    assert inside.blocks == ()
    outside = _long(before="x" * (MAX_INLINE + 1), path="a")
    [block] = outside.blocks
    assert block.data == b"x" * (MAX_INLINE + 1)
    assert outside.open().fields["before"] == "x" * (MAX_INLINE + 1)
    assert [read.open().cut for read in read_body(outside.frames())] == [{}]


def test_a_block_that_is_elsewhere_leaves_its_field_withheld() -> None:
    """The blocks of other batches are passed in when opening."""
    event = _long(before="x" * (MAX_INLINE + 1), path="a")
    away = RecordedEvent.assemble(event.public, event.secrets)
    assert away.open().withheld == {"before"}
    known = {block.id: block.data for block in event.blocks}
    assert away.open(known).fields == event.open().fields


def test_large_values_leave_the_event_before_it_grows_over_1_mib() -> None:
    """The largest values leave first, and all of them are still available."""
    values = {name: name[0] * (250 << 10) for name in ("before", "after", "patch", "path")}
    event = _long(**values)
    assert 0 < len(event.blocks) < 4
    assert len(event.frames()) - sum(len(block.data) + 21 for block in event.blocks) < 1 << 20
    [read] = read_body(event.frames())
    assert read.open().fields == values


def test_a_value_over_8_mib_is_cut_and_marked() -> None:
    """Its full length and hash stay, and no character is cut in two."""
    text = "aé" * (3 << 20)
    event = _long(after=text)
    opened = event.open()
    assert opened.cut == {"after": (9 << 20, hashlib.sha256(text.encode()).hexdigest())}
    assert text.startswith(opened.fields["after"])
    assert MAX_BLOCK - 4 < len(opened.fields["after"].encode()) <= MAX_BLOCK


def test_what_cannot_be_compressed_is_cut_until_it_fits_a_batch() -> None:
    """A single event never exceeds a batch, whatever it holds."""
    data = os.urandom(6 << 20)
    draft = Draft(src=Source.PROXY, event=ModelRequest(body_raw=data, model="m"), ms=1, mono_ms=1)
    event = compose(draft, seq=0, src_seq=0, random=os.urandom)
    opened = event.open()
    assert data.startswith(opened.fields["body_raw"])
    assert opened.cut["body_raw"][0] == 6 << 20
    assert len(event.frames()) < 4 << 20


def test_a_cut_json_value_is_the_text_of_its_beginning() -> None:
    """Half a JSON document is not JSON, so it is shown as text."""
    draft = Draft(src=Source.PROXY, event=ModelRequest(body=["x" * (9 << 20)]), ms=1, mono_ms=1)
    opened = compose(draft, seq=0, src_seq=0, random=os.urandom).open()
    assert opened.fields["body"].startswith('["xxx')


def test_a_boundary_without_characters_is_cut_where_it_stands() -> None:
    """Bytes that are not text may be cut anywhere."""
    draft = Draft(src=Source.PROXY, event=ModelRequest(body_raw=b"\x80" * (9 << 20)), ms=1, mono_ms=1)
    opened = compose(draft, seq=0, src_seq=0, random=os.urandom).open()
    assert len(opened.fields["body_raw"]) == MAX_BLOCK


def test_an_event_over_1_mib_is_refused() -> None:
    """A hostile writer cannot make a reader hold more."""
    world = World()
    event = world.events[3]
    forged = {f"f{i}": Secret(bytes(16), bytes(MAX_INLINE)) for i in range(5)}
    frames = frame(FRAME_EVENT, event.public) + frame(FRAME_SECRETS, encode_secrets(forged))
    with pytest.raises(EventError) as caught:
        read_body(frames)
    assert caught.value.code == "event_size"


def test_values_can_be_missing_when_parts_are_joined() -> None:
    """After a redaction the rest still opens, and what is missing is named."""
    event = World().events[1]
    left = {name: secret for name, secret in event.secrets.items() if name != "text"}
    joined = RecordedEvent.assemble(event.public, left)
    assert not joined.complete
    assert joined.open().withheld == {"text"}


def test_a_block_used_by_two_fields_is_stored_once() -> None:
    """Two stored values may name one block."""
    world = World()
    event = with_block(world.events[5], "command", random=world.random)
    [read] = read_body(event.frames())
    assert read.open().fields == world.events[5].open().fields


def _stored(name: str, stored: bytes, kind: str = "closed") -> RecordedEvent:
    """An event as another recorder could have written it, with one field of these stored bytes."""
    salt = bytes(16)
    event = World().events[0]
    public = public_with(event, kind=kind, c={name: b64u_encode(commitment(salt, name, stored))})
    return RecordedEvent.assemble(public, {name: Secret(salt, stored)})


def test_a_null_is_shown_and_reads_as_absent() -> None:
    """Our recorders write none; it counts neither as withheld nor as a value."""
    opened = _stored("totals", b"\x00null").open()
    assert (opened.event, opened.fields) == (Closed(), {})
    assert opened.shown == {"totals"}
    assert not opened.withheld


def test_a_number_that_was_cut_is_no_number() -> None:
    """Only the mark of the cut remains: a field for a number never has a text."""
    block = Block(bytes(16), b"12")
    opened = _stored("batches", b"\x02" + block.id + (3).to_bytes(8) + bytes(32)).open({block.id: b"12"})
    assert opened.event == Closed()
    assert opened.shown == {"batches"}
    assert not opened.withheld
    assert opened.cut == {"batches": (3, "00" * 32)}


def test_a_number_is_no_salt() -> None:
    """Binary is text in its one spelling, and nothing else is accepted."""
    for odd in (1, "=="):
        with pytest.raises(EventError) as caught:
            PublicEvent.parse(public_with(World().events[0], r=odd))
        assert caught.value.code == "event_bytes"


@given(st.binary(max_size=120))
def test_public_bytes_are_read_or_refused_by_type(data: bytes) -> None:
    """Only a protocol error is ever raised."""
    with pytest.raises(ProtocolError):
        PublicEvent.parse(data)
