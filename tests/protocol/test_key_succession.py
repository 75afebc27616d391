"""The succession of the collector's keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.good import succession
from tests.vectors.world import World

from promptster.protocol import key_succession
from promptster.protocol.errors import DocumentError, ProtocolError
from promptster.protocol.signing import fingerprint, kid


def test_a_succession_is_read_in_order() -> None:
    """Keys are found by their short names; the newest is current."""
    world = World()
    second, records = succession(world)
    found = key_succession.parse_keyfile(key_succession.write_keyfile(records))
    assert found.current.public_key == second.public_key
    assert found.find(second.kid) == second.public_key
    assert found.position(world.collector.kid) == 0
    assert found.find(kid(bytes(32))) is None
    assert found.fingerprints == (fingerprint(world.collector.public_key), fingerprint(second.public_key))
    assert [record.previous for record in found.log] == [None, world.log.kid]
    assert key_succession.keys_from_object(key_succession.keyfile_object(records)) == found


def test_what_a_key_vouches_for_begins_with_itself() -> None:
    """Earlier keys are left out, and so are the log keys that they signed."""
    world = World()
    second, records = succession(world)
    found = key_succession.parse_keyfile(key_succession.write_keyfile(records))
    assert found.since(world.collector.kid) == found
    late = found.since(second.kid)
    assert late is not None
    assert late.fingerprints == (fingerprint(second.public_key),)
    assert {record.kid for record in late.log} <= {second.kid}
    assert len(late.log) < len(found.log)
    assert found.since(kid(bytes(32))) is None


def test_a_succession_grows_at_its_end_only() -> None:
    """A succession with fewer or other keys does not continue it."""
    world = World()
    second, records = succession(world)
    whole = key_succession.parse_keyfile(key_succession.write_keyfile(records))
    first = key_succession.parse_keyfile(key_succession.write_keyfile(records[:1]))
    late = whole.since(second.kid)
    assert late is not None
    assert whole.continues(first)
    assert whole.continues(whole)
    assert not first.continues(whole)
    assert not whole.continues(late)


_OTHERS: list[dict[str, Any]] = [
    {},
    {"v": 1, "keys": {}},
    {"v": 1, "keys": []},
    {"v": True, "keys": [{}]},
    {"v": 1.0, "keys": [{}]},
    {"v": 1, "keys": [{}] * 257},
    {"v": 1, "keys": [{}]},
    {"v": 1, "keys": [1], "more": 1},
]


@pytest.mark.parametrize("document", _OTHERS)
def test_other_objects_are_no_key_files(document: dict[str, Any]) -> None:
    """Invalid objects are refused as JSON and as bytes."""
    with pytest.raises(DocumentError):
        key_succession.keys_from_object(document)


@given(st.data())
def test_any_changed_byte_of_a_key_file_is_refused_by_type(data: st.DataObject) -> None:
    """Signatures and the canonical form exclude any change."""
    world = World()
    content = bytearray(key_succession.write_keyfile(succession(world)[1]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        key_succession.parse_keyfile(bytes(content))


def test_a_key_file_is_json_that_people_can_read() -> None:
    """It has version and records, and nothing else."""
    document = json.loads(World().keyfile)
    assert set(document) == {"v", "keys"}
    assert len(document["keys"]) == 2
