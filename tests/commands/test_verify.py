"""``promptster verify``: five verdicts, five exit codes, offline."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.certified import Certified
from tests.helpers.plausible import plausible
from tests.helpers.sessions import Script

from promptster.__main__ import main
from promptster.config import PinnedKeys
from promptster.paths import Paths
from promptster.protocol.keys import first_key, next_key, write_keyfile

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = plausible()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, with a bundle and its collector's key file beside it."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    bundler = Bundler()
    (tmp_path / "ada.promptster").write_bytes(bundler.bundle(EVENTS))
    (tmp_path / "acme.keys").write_bytes(bundler.certified.keyfile)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_verified_with_a_key_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A named key file vouches: exit 0, what was checked, gaps apart, the claim in full."""
    assert main(["verify", "ada.promptster", "--trust", "acme.keys"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("VERIFIED: nothing was changed, and nothing that was received is missing\n")
    for words in (
        "80 events, each with its place proved",
        "4 batches: 4 received, 4 checked by the collector",
        "submitted with 80 events",
        "they do not change the verdict:\n  event 43: recording was paused: the doorbell",
        "They prove custody, not\ntruth",
        f"{Certified().keys.fingerprints[0]} (a key pinned here vouches for it)",
    ):
        assert words in shown
    assert not (home / "home").exists()


def test_pinned_keys_are_trusted_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What an invite or a sign-in pinned needs not be named again."""
    assert main(["verify", "ada.promptster", "--json"]) == 13
    assert _json(capsys)["signer"] == {"fingerprint": Certified().keys.fingerprints[0], "trusted": False}
    PinnedKeys(Paths.from_environment()).pin("https://acme.example", (home / "acme.keys").read_bytes())
    assert main(["verify", "ada.promptster", "--json"]) == 0
    document = _json(capsys)
    assert document["verdict"] == "verified"
    assert document["signer"]["trusted"] is True
    assert document["events"] == len(EVENTS)
    assert [(gap["kind"], gap["seq"]) for gap in document["gaps"]] == [("paused", 43), ("capture_hook_silent", 73)]
    assert document["coverage"] == {"candidate": 4, "hook": 25, "proxy": 46, "recorder": 3, "workspace": 2}
    assert document["claim"].startswith("Signatures prove order")


@pytest.mark.parametrize(
    ("options", "verdict", "code"),
    [
        ({"closed": False}, "incomplete", 11),
        ({"leave_out": frozenset({1})}, "incomplete", 11),
        ({"flip": b"token bucket"}, "altered", 10),
        ({"cut": True}, "unreadable", 12),
    ],
)
def test_each_fault_has_its_verdict_and_its_code(
    home: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], verdict: str, code: int
) -> None:
    """A verdict is the result, not an error: the document is the same, the exit code tells them apart."""
    flip, cut = options.pop("flip", b""), options.pop("cut", False)
    data = bytearray(Bundler().bundle(EVENTS, **options))
    if flip:
        data[data.index(flip)] ^= 1
    (home / "odd.promptster").write_bytes(data[: len(data) // 2] if cut else data)
    assert main(["verify", "odd.promptster", "--trust", "acme.keys", "--json"]) == code
    document = _json(capsys)
    assert document["verdict"] == verdict
    assert document["findings"]
    assert main(["verify", "odd.promptster", "--trust", "acme.keys"]) == code
    shown = capsys.readouterr().out
    assert shown.startswith(verdict.upper())
    assert "what was found:" in shown


def test_a_stranger_who_signs_is_not_trusted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle that another collector signed is consistent, and no more."""
    (home / "forged.promptster").write_bytes(Bundler(Certified(seed=7)).bundle(EVENTS))
    assert main(["verify", "forged.promptster", "--trust", "acme.keys", "--json"]) == 13
    assert _json(capsys)["verdict"] == "consistent"


def test_a_key_in_front_of_an_invites_makes_no_bundle_trusted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A forger who showed a key file that leads from their key to the invite's signs for themselves only."""
    invite, forger = Certified(), Certified(seed=7)
    records = [first_key(forger.collector_key, created_ms=1)]
    records.append(next_key(forger.collector_key, invite.collector_key.public_key, created_ms=2))
    forger.keyfile = write_keyfile(records)
    (home / "forged.promptster").write_bytes(Bundler(forger).bundle(EVENTS))
    pins = PinnedKeys(Paths.from_environment())
    pins.pin("https://acme.example", forger.keyfile, root=invite.collector_key.kid)
    assert main(["verify", "forged.promptster", "--json"]) == 13
    assert _json(capsys)["signer"]["trusted"] is False
    assert main(["verify", "ada.promptster", "--json"]) == 0


def test_files_that_cannot_be_used_are_errors(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is no verdict; a key file that is none is refused before anything is trusted."""
    assert main(["verify", "nothing.promptster", "--json"]) == 2
    assert _json(capsys)["error"]["code"] == "no_such_file"
    (home / "bad.keys").write_text("{}")
    assert main(["verify", "ada.promptster", "--trust", "bad.keys", "--json"]) == 2
    assert _json(capsys)["error"]["code"] == "keyfile"
    assert main(["verify", "ada.promptster", "--trust", "missing.keys", "--json"]) == 2
    assert _json(capsys)["error"]["code"] == "no_such_file"


def test_a_bundle_may_come_through_a_pipe(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``-`` is standard input, as everywhere; a terminal is asked for a file instead of being waited on."""
    with (home / "ada.promptster").open() as bundle:
        monkeypatch.setattr("sys.stdin", bundle)
        assert main(["verify", "-", "--trust", "acme.keys"]) == 0
    assert "file       standard input\n" in capsys.readouterr().out
    main_end, terminal = os.openpty()
    with os.fdopen(terminal) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        assert main(["verify", "-", "--json"]) == 2
    os.close(main_end)
    assert "promptster verify - < FILE" in _json(capsys)["error"]["hint"]


def test_damaged_pins_do_not_stop_a_check(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that cannot be read vouch for nothing; the named key file still does."""
    pinned = home / "home" / ".config" / "promptster" / "keys" / "odd.json"
    pinned.parent.mkdir(parents=True)
    pinned.write_text("not a key file")
    assert main(["verify", "ada.promptster", "--trust", "acme.keys"]) == 0
    assert "the keys pinned on this computer cannot be read" in capsys.readouterr().err


def test_hostile_text_in_a_bundle_reaches_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a session says about itself is escaped, also where it becomes part of a gap."""
    script = Script()
    script.add("recorder", "capture_gap", source="proxy", detail="\x1b]52;c;ZXZpbA==\x07\u202e")
    script.add("recorder", "closed", totals={"recorder": 2}, batches=1)
    (home / "odd.promptster").write_bytes(Bundler().bundle(script.events))
    assert main(["verify", "odd.promptster", "--trust", "acme.keys"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b]52;c;" in shown
