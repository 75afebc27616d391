"""Settings: what the environment and the file say, and the keys that are pinned."""

from __future__ import annotations

import itertools
import json
import os
import stat
from pathlib import Path

import pytest

from promptster.config import Config, PinnedKeys, collector_url
from promptster.durable import write_private
from promptster.errors import CollectorError, ConfigurationError
from promptster.paths import Paths
from promptster.protocol.key_succession import first_key, log_key, next_key, write_keyfile
from promptster.protocol.signing import SigningKey, fingerprint

URL = "https://collector.example"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """One user's folders, not made yet."""
    return Paths(config=tmp_path / "config", data=tmp_path / "data", state=tmp_path / "state")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://host/", "https://host"),
        (" https://Host:8443/base/ ", "https://host:8443/base"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_address_has_one_spelling(text: str, url: str) -> None:
    """White space, case of the host and a trailing slash do not matter."""
    assert collector_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["http://host", "http://localhost:1", "ftp://host", "host", "https://user@host", "https://h:x", "https://h?q=1"],
)
def test_plain_http_beyond_loopback_and_other_things_are_refused(text: str) -> None:
    """Only https is accepted, or http to a literal loopback address."""
    with pytest.raises(ConfigurationError):
        collector_url(text)


def test_the_environment_wins_over_the_file(paths: Paths) -> None:
    """Both can name the collector and the proxy."""
    write_private(paths.config / "settings.json", json.dumps({"collector": URL, "https_proxy": "http://a:1"}).encode())
    assert Config.load(paths, {}).collector == URL
    assert Config.load(paths, {}).network.proxy_url == "http://a:1"
    config = Config.load(paths, {"PROMPTSTER_COLLECTOR": "https://other", "HTTPS_PROXY": "http://b:2"})
    assert config.collector == "https://other"
    assert config.network.proxy_url == "http://b:2"


def test_remembering_a_collector_keeps_other_settings(paths: Paths) -> None:
    """The file is rewritten whole, readable only by its owner."""
    file = paths.config / "settings.json"
    write_private(file, json.dumps({"https_proxy": "http://a:1"}).encode())
    Config.load(paths, {}).remember_collector(URL + "/")
    assert json.loads(file.read_bytes()) == {"https_proxy": "http://a:1", "collector": URL}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"collector": 1}'])
def test_a_damaged_settings_file_is_named(paths: Paths, content: bytes) -> None:
    """The error has the file's name; there is neither a traceback nor silence."""
    write_private(paths.config / "settings.json", content)
    with pytest.raises(ConfigurationError, match=r"settings\.json"):
        Config.load(paths, {})


def test_pinned_keys_may_be_continued_and_never_exchanged(paths: Paths) -> None:
    """A succession that continues is accepted; another collector's keys are refused."""
    first, second, stranger = (SigningKey.generate(os.urandom) for _ in range(3))
    records = [first_key(first, created_ms=1), log_key(first, SigningKey.generate(os.urandom).public_key, created_ms=1)]
    pins = PinnedKeys(paths)
    assert pins.get(URL) is None
    pins.pin(URL, write_keyfile(records))
    grown = [*records, next_key(first, second.public_key, created_ms=2)]
    pins.pin(URL, write_keyfile(grown))
    pins.pin(URL + "/other", write_keyfile([first_key(stranger, created_ms=1)]))
    assert len(pins.fingerprints()) == 3
    with pytest.raises(CollectorError) as caught:
        pins.pin(URL, write_keyfile([first_key(stranger, created_ms=1)]))
    assert caught.value.code == "collector_keys_changed"
    kept = pins.get(URL)
    assert kept is not None
    assert len(kept.fingerprints) == 2


def succession(*keys: SigningKey) -> bytes:
    """A key file in which each key is signed by the one before."""
    records = [first_key(keys[0], created_ms=1)]
    records += [next_key(old, new.public_key, created_ms=2) for old, new in itertools.pairwise(keys)]
    return write_keyfile(records)


def names(*keys: SigningKey) -> set[str]:
    """The fingerprints of keys."""
    return {fingerprint(key.public_key) for key in keys}


def test_an_invite_vouches_for_its_own_key_and_its_successors_only(paths: Paths) -> None:
    """If a forger puts another key before the invite's in a key file, that key is not trusted."""
    forger, pinned, later = (SigningKey.generate(os.urandom) for _ in range(3))
    pins = PinnedKeys(paths)
    trusted = pins.pin(URL, succession(forger, pinned, later), root=pinned.kid)
    assert trusted.find(forger.kid) is None
    assert pins.fingerprints() == names(pinned, later)
    assert pins.get(URL) == trusted
    with pytest.raises(CollectorError) as caught:
        pins.pin(URL + "/other", succession(forger), root=pinned.kid)
    assert caught.value.code == "collector_not_pinned"


def test_a_later_sign_in_does_not_widen_what_an_invite_vouched_for(paths: Paths) -> None:
    """Earlier keys stay out; later ones come in; a sibling of a known successor is refused."""
    forger, pinned, later, newest, sibling = (SigningKey.generate(os.urandom) for _ in range(5))
    pins = PinnedKeys(paths)
    pins.pin(URL, succession(pinned, later), root=pinned.kid)
    with pytest.raises(CollectorError):  # a key that signed itself has no earlier one
        pins.pin(URL, succession(forger, pinned, later))
    assert pins.pin(URL, succession(pinned, later, newest)).fingerprints[-1] in names(newest)
    with pytest.raises(CollectorError) as caught:
        pins.pin(URL, succession(pinned, sibling))
    assert caught.value.code == "collector_keys_changed"
    assert pins.fingerprints() == names(pinned, later, newest)


def test_what_stood_in_front_of_a_pinned_key_may_turn_out_otherwise(paths: Paths) -> None:
    """A forged beginning that was shown first does not lock the candidate out of the true collector."""
    forger, first, pinned, later = (SigningKey.generate(os.urandom) for _ in range(4))
    pins = PinnedKeys(paths)
    pins.pin(URL, succession(forger, pinned), root=pinned.kid)
    pins.pin(URL, succession(first, pinned, later))
    assert pins.fingerprints() == names(pinned, later)


def test_two_invites_vouch_for_the_keys_of_both(paths: Paths) -> None:
    """An older invite names the earlier key: trust begins there then, because that invite says so."""
    first, second, third = (SigningKey.generate(os.urandom) for _ in range(3))
    pins = PinnedKeys(paths)
    pins.pin(URL, succession(first, second), root=second.kid)
    assert pins.fingerprints() == names(second)
    pins.pin(URL, succession(first, second), root=first.kid)
    assert pins.fingerprints() == names(first, second)
    pins.pin(URL, succession(first, second, third), root=third.kid)
    assert pins.fingerprints() == names(first, second, third)


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"root": "AAAA", "keyfile": "AA"}'])
def test_a_damaged_pin_is_named(paths: Paths, content: bytes) -> None:
    """It is neither ignored, which would trust any key, nor an error inside the program."""
    pins = PinnedKeys(paths)
    pins.pin(URL, succession(SigningKey.generate(os.urandom)))
    (file,) = (paths.config / "keys").iterdir()
    file.write_bytes(content)
    for call in (pins.fingerprints, lambda: pins.get(URL)):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert str(file) in caught.value.message


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between write and rename shows the old content and no leftovers."""
    file = tmp_path / "file"
    write_private(file, b"old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError(5, "input/output error", str(self), None, str(target))

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="input/output"):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_our_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """This holds for the last folder, the one above, and every folder that had to be made."""
    old = os.umask(0)
    try:
        write_private(tmp_path / "home" / "promptster" / "keys" / "file", b"x")
    finally:
        os.umask(old)
    for folder in ("home", "home/promptster", "home/promptster/keys"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
