"""Batches: sealed once, opened only whole and in their place."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.vectors.world import World

from promptster.protocol.batch import (
    MAX_BODY,
    MAX_EVENTS,
    MAX_WIRE,
    open_body,
    parse_batch,
    seal_batch,
    verify_batch_signature,
)
from promptster.protocol.compression import MAX_INFLATED, compress, decompress
from promptster.protocol.errors import BatchError, LimitError, ProtocolError
from promptster.protocol.events import Draft, RecordedEvent, Source, compose
from promptster.protocol.events.kinds import event_of


def _seal(world: World, events: list[RecordedEvent], first: int = 0) -> bytes:
    return seal_batch(
        events,
        session=world.session,
        n=0,
        first=first,
        prev=world.certificate.sha256,
        session_key=world.session_key,
        content_key=world.content_key,
        random=world.random,
    )


def _open(world: World, wire: bytes) -> list[RecordedEvent]:
    batch = parse_batch(wire)
    verify_batch_signature(batch, world.session_key.public_key)
    return open_body(batch, world.content_key)


def test_a_batch_comes_back_as_it_was_sealed() -> None:
    """Header, signature and body belong together, and the events are the ones that were sealed."""
    world = World()
    wire = _seal(world, world.events)
    assert _open(world, wire) == world.events
    batch = parse_batch(wire)
    assert (batch.header.first, batch.header.count, batch.header.n) == (0, 15, 0)
    assert batch.envelope.sha256 == batch.header_sha256


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_of_a_batch_is_refused_by_type(data: st.DataObject) -> None:
    """Form, signature or body hash shows the change."""
    world = World()
    wire = bytearray(world.wires()[0])
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        _open(world, bytes(wire))


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_of_a_plain_body_is_refused_by_type(data: st.DataObject) -> None:
    """It is refused even if the holder of the key seals and signs it again."""
    world = World()
    events = world.events[:2]
    plain = bytearray(b"".join(event.frames() for event in events))
    place = data.draw(st.integers(0, len(plain) - 1))
    plain[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        _open(world, world.seal(events, plain=bytes(plain)))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_type(data: bytes) -> None:
    """Only a protocol error is ever raised."""
    for wire in (data, b"PSB1" + data, b"PSB1\x00\x02{}" + data):
        with pytest.raises(ProtocolError):
            parse_batch(wire)


@given(st.binary(max_size=100))
def test_any_frame_is_refused_or_read_within_bounds(data: bytes) -> None:
    """The decompressor never returns more than its limit, nor raises anything else."""
    for packed in (data, b"\x28\xb5\x2f\xfd" + data):
        try:
            assert len(decompress(packed)) <= MAX_INFLATED
        except BatchError:
            continue


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000, 3 << 20, MAX_INFLATED])
def test_own_frames_are_read_back(size: int) -> None:
    """Every size up to the limit is read, with content size and a window that readers accept."""
    data = bytes(size)
    assert decompress(compress(data)) == data


def test_a_writer_refuses_what_a_reader_would() -> None:
    """Order, completeness and number are checked as the writer's own error."""
    world = World()
    event = world.events[1]
    lacking = RecordedEvent.assemble(event.public, {})
    for events, first, code in (
        ([], 0, "empty"),
        (world.events[:2], 1, "sequence"),
        ([world.events[0], world.events[2]], 0, "sequence"),
        ([lacking], 1, "value_missing"),
        ([world.events[0]] * (MAX_EVENTS + 1), 0, "event_count"),
    ):
        with pytest.raises(BatchError) as caught:
            _seal(world, events, first)
        assert (caught.value.code, caught.value.fault) == (code, "local")


def _heavy(world: World, count: int, size: int, *, noise: bool) -> list[RecordedEvent]:
    text = os.urandom(size // 2).hex() if noise else "x" * size
    return [
        compose(
            Draft(src=Source.PROXY, event=event_of("command", {"output": text}), ms=1, mono_ms=1),
            seq=seq,
            src_seq=seq,
            random=world.random,
        )
        for seq in range(count)
    ]


def test_too_much_for_one_batch_is_a_limit() -> None:
    """The limit holds before and after compression; a caller then takes fewer events."""
    world = World()
    with pytest.raises(LimitError) as caught:
        _seal(world, _heavy(world, 80, 250_000, noise=False))
    assert caught.value.code == "inflated_size"
    noise = _heavy(world, 1, 250_000, noise=True)[0]
    draft = Draft(src=Source.PROXY, event=event_of("model_request", {"body_raw": os.urandom(3 << 20)}), ms=1, mono_ms=1)
    events = [noise, *(compose(draft, seq=seq, src_seq=0, random=os.urandom) for seq in (1, 2))]
    with pytest.raises(LimitError) as caught:
        _seal(world, events)
    assert caught.value.code == "body_size"


@pytest.mark.parametrize("size", [5 << 20, 9 << 20])
def test_a_single_event_always_fits(size: int) -> None:
    """However large its values are, and whether or not they compress."""
    world = World()
    for value in (os.urandom(size), bytes(size)):
        fields: dict[str, object] = {"body_raw": value, "body": ["x" * size], "model": "m"}
        draft = Draft(src=Source.PROXY, event=event_of("model_request", fields), ms=1, mono_ms=1)
        event = compose(draft, seq=0, src_seq=0, random=os.urandom)
        wire = _seal(world, [event])
        assert len(parse_batch(wire).body) <= MAX_BODY
        assert _open(world, wire) == [event]


def test_a_batch_has_a_greatest_size() -> None:
    """A larger batch is refused before anything else is checked."""
    with pytest.raises(LimitError) as caught:
        parse_batch(bytes(MAX_WIRE + 1))
    assert caught.value.code == "wire_size"
