"""A session's documents say which keys it trusts; an unknown key is looked up once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.helpers.answering import Answer, Answering
from tests.helpers.certified import NOW_MS, Certified, paths_below

from promptster.errors import CollectorError
from promptster.network import Network
from promptster.protocol.errors import SignatureError
from promptster.protocol.key_succession import first_key, keyfile_object, next_key, write_keyfile
from promptster.protocol.signing import SigningKey
from promptster.session_folder.collector_keys import KEYS, read_signed, trusted_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[Answering]:
    """The collector's address."""
    with Answering() as made:
        yield made


def test_trust_begins_at_the_key_that_signed_the_invite(tmp_path: Path) -> None:
    """Earlier keys of the key file are not trusted."""
    certified = Certified()
    older = SigningKey.generate(certified.named("older"))
    records = [first_key(older, created_ms=NOW_MS)]
    records.append(next_key(older, certified.collector_key.public_key, created_ms=NOW_MS))
    folder = certified.folder(paths_below(tmp_path))
    folder.write_document(KEYS, write_keyfile(records))
    keys = trusted_keys(folder)
    assert keys.fingerprints == certified.keys.fingerprints
    with pytest.raises(SignatureError):
        keys.find(older.kid)


def test_an_unknown_key_is_looked_up_at_the_collector(tmp_path: Path, server: Answering) -> None:
    """The collector's succession is checked and kept; a known key needs no call."""
    certified = Certified()
    newer = SigningKey.generate(certified.named("newer"))
    folder = certified.folder(paths_below(tmp_path), collector_url=server.url)
    assert read_signed(folder, Network(), lambda keys: keys.find(certified.collector_key.kid))
    assert server.asked == []
    records = [first_key(certified.collector_key, created_ms=NOW_MS)]
    records.append(next_key(certified.collector_key, newer.public_key, created_ms=NOW_MS))
    server.answer = Answer(body=write_keyfile(records))
    assert read_signed(folder, Network(), lambda keys: keys.find(newer.kid)) == newer.public_key
    assert [asked.path for asked in server.asked] == ["/v1/keys"]
    assert folder.read_document(KEYS) == write_keyfile(records)
    assert trusted_keys(folder).find(newer.kid) == newer.public_key


def test_a_key_that_nobody_vouches_for_stays_unknown(tmp_path: Path, server: Answering) -> None:
    """It stays unknown whatever the collector answers, and without an answer."""
    certified = Certified()
    stranger = SigningKey.generate(certified.named("stranger"))
    folder = certified.folder(paths_below(tmp_path), collector_url=server.url)
    own = json.dumps(keyfile_object([first_key(stranger, created_ms=NOW_MS)])).encode()
    for answer in (Answer(body=own), Answer(body=certified.keyfile), Answer(body=b"<html>")):
        server.answer = answer
        with pytest.raises(SignatureError):
            read_signed(folder, Network(), lambda keys: keys.find(stranger.kid))
    server.answer = Answer(cut=True)
    with pytest.raises(CollectorError):
        read_signed(folder, Network(), lambda keys: keys.find(stranger.kid))
    assert folder.read_document(KEYS) == certified.keyfile
