"""``promptster verify``: five verdicts, five exit codes, offline."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.certified import Certified
from tests.helpers.plausible import plausible
from tests.helpers.sessions import Script, frozen

from promptster.__main__ import main
from promptster.config import PinnedKeys
from promptster.paths import Paths
from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.documents import DocumentType
from promptster.protocol.key_succession import first_key, next_key, write_keyfile
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = plausible()
MADE_BY_0_1 = Path(__file__).parent / "made_by_0_1" / "session.promptster"
"""What the first release's own commands made of a whole assessment."""
SCREEN = f"""\
VERIFIED: nothing was changed, and nothing that was received is missing
  not_in_log: no log proof for the receipts of batches 0 to 3 (there is no
    checkpoint of the log), but none was promised
Session  Take-home, for Acme; submitted 25 November 2026, 10:53
Events   80, all received and checked
Sources  proxy 46, hook 25, candidate 4, recorder 3, workspace 2
Gaps     10:48 paused for 3 min: the doorbell
         10:52 the proxy saw a call of Edit that no hook reported
Signer   {Certified().keys.fingerprints[0][:16]} (known to this computer or from the key file)
Time     the collector's word; no witness
Log      0 of 4 receipts shown to be in the collector's log
Signatures prove custody (order and integrity), not truth: the session key was
on the candidate's machine. What was never recorded shows only as gaps.
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home folder, next to a bundle and its collector's key file."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    bundler = Bundler()
    (tmp_path / "ada.promptster").write_bytes(bundler.bundle(EVENTS))
    (tmp_path / "acme.keys").write_bytes(bundler.certified.keyfile)
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_verified_with_a_key_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole screen shows the verdict, what it is based on in local time, and what it does not prove."""
    assert main(["verify", "ada.promptster", "--trust", "acme.keys"]) == 0
    assert capsys.readouterr().out == SCREEN
    assert not (home / "home").exists()


def test_a_log_that_was_promised_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With all proofs a line says so; if one is missing, the verdict differs and the message says which one."""
    certified = Certified(limits={"log": 1})
    data = Bundler(certified).bundle(EVENTS)
    (home / "acme.keys").write_bytes(certified.keyfile)
    (home / "logged.promptster").write_bytes(data)
    assert main(["verify", "logged.promptster", "--trust", "acme.keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Session  ")
    assert "Log      all 4 receipts are in the collector's log" in lines
    parts = read_bundle(data)
    (home / "cut.promptster").write_bytes(write_bundle(replace(parts, proofs=parts.proofs[:1])))
    assert main(["verify", "cut.promptster", "--trust", "acme.keys"]) == 11
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "INCOMPLETE: what is here is genuine, but something is missing",
        "  not_in_log: no log proof for the receipts of batches 1 to 3",
        "Session  Take-home, for Acme; submitted 25 November 2026, 10:53",
    ]
    assert "Log      1 of 4 receipts shown to be in the collector's log" in lines
    assert not any(line.startswith("Signatures prove") for line in lines)
    assert main(["verify", "cut.promptster", "--trust", "acme.keys", "--json"]) == 11
    assert _json(capsys)["log"] == {
        "promised": True,
        "receipts": 4,
        "missing": [{"first": 1, "last": 3}],
        "origin": "acme.example/receipts",
    }


def test_silence_absence_and_times_that_cannot_be_true_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are listed below a verdict that they do not change, and with stable names in the document."""
    bundler = Bundler(Certified(limits={"log": 1}))
    (home / "acme.keys").write_bytes(bundler.certified.keyfile)
    (home / "frozen.promptster").write_bytes(bundler.bundle(frozen().events))
    assert main(["verify", "frozen.promptster", "--trust", "acme.keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "VERIFIED: nothing was changed, and nothing that was received is missing",
        "  consent_missing: no event says that the candidate agreed to be recorded",
        "  backwards: by the computer's clock, events 5 to 6 happened before earlier",
        "    ones, and nothing says that the clock was set",
        "Session  Take-home, for Acme; submitted 25 November 2026, 10:51",
    ]
    gap = "Gaps     10:47 the recorder was silent: no heartbeat came, although one is due"
    assert lines[lines.index(gap) + 1] == "         every minute (5 min)"
    assert main(["verify", "frozen.promptster", "--trust", "acme.keys", "--json"]) == 0
    document = _json(capsys)
    assert [(found["code"], found["effect"]) for found in document["findings"]] == [
        ("consent_missing", "note"),
        ("backwards", "note"),
    ]
    (gap,) = document["gaps"]
    assert (gap["kind"], gap["seq"], gap["to_seq"], gap["to_ms"] - gap["from_ms"]) == ("silence", 2, 4, 300_000)


def test_pinned_keys_are_trusted_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that an invite or a sign-in pinned need not be named again."""
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
    """A verdict is the result, not an error: the document is the same, and the exit code distinguishes them."""
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
    assert shown.startswith(f"{verdict.upper()}: ")
    assert "Signatures prove" not in shown
    if verdict == "altered":
        assert [line[:2] for line in shown.splitlines()[1:]] == ["  "] * len(document["findings"])
    if verdict == "unreadable":
        assert shown == "UNREADABLE: odd.promptster is a bundle that was cut off: copy or download it again\n"


def test_a_stranger_who_signs_is_not_trusted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle that another collector signed is consistent, and no more."""
    (home / "forged.promptster").write_bytes(Bundler(Certified(seed=7)).bundle(EVENTS))
    assert main(["verify", "forged.promptster", "--trust", "acme.keys", "--json"]) == 13
    assert _json(capsys)["verdict"] == "consistent"
    assert main(["verify", "forged.promptster", "--trust", "acme.keys"]) == 13
    first, second, third, *facts = capsys.readouterr().out.splitlines()
    key = Certified(seed=7).keys.fingerprints[0][:16]
    assert first == "CONSISTENT, SIGNER UNKNOWN: nothing contradicts it, but anyone could have signed"
    assert second == f"it: this computer does not know the key {key}"
    assert third.startswith("  not_in_log: ")
    assert facts[1] == "Get the keys from someone you trust, then add --trust KEYFILE."
    assert f"Signer   {key} (not known to this computer)" in facts


def test_a_key_in_front_of_an_invites_makes_no_bundle_trusted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A forged key file that leads from the forger's key to the invite's key gives no trust."""
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
    """A missing file has no verdict; an invalid key file is refused before anything is trusted."""
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
    assert capsys.readouterr().out == SCREEN
    with (home / "acme.keys").open() as keyfile:
        monkeypatch.setattr("sys.stdin", keyfile)
        assert main(["verify", "-"]) == 12
    assert capsys.readouterr().out == "UNREADABLE: standard input is a key file, not a bundle (use it with --trust)\n"
    main_end, terminal = os.openpty()
    with os.fdopen(terminal) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        assert main(["verify", "-", "--json"]) == 2
    os.close(main_end)
    assert "promptster verify - < FILE" in _json(capsys)["error"]["hint"]


def test_damaged_pins_do_not_stop_a_check(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that cannot be read are not trusted; the named key file still is."""
    pinned = home / "home" / ".config" / "promptster" / "keys" / "odd.json"
    pinned.parent.mkdir(parents=True)
    pinned.write_text("not a key file")
    assert main(["verify", "ada.promptster", "--trust", "acme.keys"]) == 0
    assert "the keys pinned on this computer cannot be read" in capsys.readouterr().err
    pinned.unlink()
    pinned.mkdir()
    assert main(["verify", "ada.promptster", "--trust", "acme.keys"]) == 0
    assert "[Errno" not in capsys.readouterr().err


def test_hostile_text_in_a_bundle_reaches_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a session says about itself is escaped, also inside a gap."""
    script = Script()
    script.add("recorder", "capture_gap", source="proxy", detail="\x1b]52;c;ZXZpbA==\x07\u202e")
    script.add("recorder", "closed", totals={"recorder": 2}, batches=1)
    (home / "odd.promptster").write_bytes(Bundler().bundle(script.events))
    assert main(["verify", "odd.promptster", "--trust", "acme.keys"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b]52;c;" in shown


def _zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip as any program writes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def _others() -> dict[str, tuple[bytes, str]]:
    """Files that are not bundles, by what they are, each with its message."""
    certified = Certified()
    data = Bundler(certified).bundle(EVENTS)
    members = {member.name: member.data for member in read_archive(data)}
    newer = {**members, "keys.json": b'{"keys":[],"v":2}'}
    parts = read_bundle(data)
    later = certified.collector_key.sign_bytes(DocumentType.CERTIFICATE, b'{"v":2}')
    certificate = replace(parts, certificate=Envelope(b'{"v":2}', later))
    packed = "is a bundle that was repacked or edited: get the original"
    known = "is a bundle that lacks parts, or has parts that this version of Promptster does not know"
    update = "was made by a newer version of Promptster: update this one to read it"
    instead = "check the bundle of its session instead"
    return {
        "text": (b"# A readme\n", "is not a Promptster bundle"),
        "binary": (bytes(range(256)) * 100, "is not a Promptster bundle"),
        "page": (b"<!doctype html><title>Replay</title>", f"is a web page, which proves nothing: {instead}"),
        "lines": (b'{"seq":0}\n', f"is a replay in JSON Lines, which proves nothing: {instead}"),
        "empty": (b"", "is empty"),
        "key file": (certified.keyfile, "is a key file, not a bundle (use it with --trust)"),
        "other zip": (_zipped({"a.txt": b"a"}), "is a zip file, but not a Promptster bundle"),
        "word": (_zipped({"[Content_Types].xml": b"<x/>"}), "is a zip file, but not a Promptster bundle"),
        "cut zip": (data[:3000], "is a bundle that was cut off: copy or download it again"),
        "packed again": (_zipped(members), packed),
        "trailer": (data + b"\n", packed),
        "encrypted": (_zipped(members).replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"), packed),
        "nothing in it": (_zipped({"keys.json": b""}), packed),
        "newer keys": (write_archive([Member(*item) for item in newer.items()]), update),
        "newer keys, packed again": (_zipped(newer), update),
        "newer certificate": (write_bundle(certificate), update),
        "newer format": (write_archive([Member("format.json", b'{"v":3}'), *read_archive(data)[1:]]), update),
        "newer limit": (Bundler(Certified(limits={"lists": 1})).bundle(EVENTS), update),
        "cut newer zip": (
            write_archive([Member("format.json", b'{"v":3}'), *read_archive(data)[1:]])[:3000],
            "is a bundle that was cut off: copy or download it again",
        ),
        "another member": (write_archive([*read_archive(data), Member("later.json", b"{}")]), known),
        "a member too few": (write_archive(read_archive(data)[:5]), known),
        "odd member": (
            write_archive([Member(*item) for item in {**members, "values.bin": b"x"}.items()]),
            "is a bundle, but part of it cannot be read",
        ),
    }


OTHERS = _others()


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_bundle_is_said_in_one_line(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Every command that takes a bundle ends with exit code 12 and does not list what was not proved."""
    data, why = OTHERS[name]
    (home / "odd.file").write_bytes(data)
    assert main(["verify", "odd.file"]) == 12
    assert capsys.readouterr().out == f"UNREADABLE: odd.file {why}\n"
    assert main(["verify", "odd.file", "--json"]) == 12
    assert _json(capsys)["verdict"] == "unreadable"
    before = sorted(home.iterdir())
    for words in (["replay"], ["export"], ["export", "-f", "html"], ["export", "-o", "new.promptster"]):
        assert main([words[0], "odd.file", *words[1:]]) == 12
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == ("", f"error: odd.file {why}\n")
    assert main(["replay", "odd.file", "--json"]) == 12
    assert _json(capsys)["error"]["code"] == "unreadable"
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("beginning", [b"PK\x03\x04", b"\0"])
def test_a_huge_file_is_told_from_a_bundle_without_reading_it(
    home: Path, capsys: pytest.CaptureFixture[str], beginning: bytes
) -> None:
    """A file larger than any bundle, or than memory, is refused by its size, as a bundle and as a key file."""
    with (home / "huge.file").open("wb") as file:
        file.write(beginning)
        file.truncate(1 << 42)
    for words in (["verify"], ["replay"], ["export"], ["verify", "ada.promptster", "--trust"]):
        assert main([*words, "huge.file"]) == 12
        assert capsys.readouterr() == ("", "error: huge.file is larger than any bundle\n")


def test_what_never_ends_is_no_bundle(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only enough is read to see that it is not a bundle."""
    assert home.is_dir()
    assert main(["verify", "/dev/zero"]) == 12
    assert capsys.readouterr().out == "UNREADABLE: /dev/zero is not a Promptster bundle\n"
    assert main(["replay", "/dev/zero"]) == 12
    assert capsys.readouterr().err == "error: /dev/zero is not a Promptster bundle\n"
    assert main(["verify", "ada.promptster", "--trust", "/dev/zero", "--json"]) == 2
    assert _json(capsys)["error"]["code"] == "keyfile"


@pytest.mark.parametrize("words", [["verify"], ["replay"], ["export", "-o", "copy.promptster"], ["export"]])
def test_a_bundle_may_come_through_a_named_pipe(home: Path, words: list[str]) -> None:
    """Every command that takes a file reads a pipe such as a shell's ``<(...)``, once."""
    os.mkfifo(home / "pipe")
    with ThreadPoolExecutor() as pool:
        written = pool.submit((home / "pipe").write_bytes, (home / "ada.promptster").read_bytes())
        code = main([words[0], "pipe", *words[1:]])
        assert written.result() > 0
    assert code == (13 if words == ["verify"] else 0)


def test_a_hostile_name_reaches_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file's name is escaped, since it is a stranger's text too."""
    (home / "\x1b[2Jodd").write_bytes(b"x")
    assert main(["verify", "\x1b[2Jodd"]) == 12
    assert capsys.readouterr().out == "UNREADABLE: \\x1b[2Jodd is not a Promptster bundle\n"


def test_a_folder_is_named_as_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, or a name that does not exist, is a usage error and not a verdict."""
    for command in ("verify", "replay", "export"):
        assert main([command, "."]) == 2
        assert capsys.readouterr().err == ("error: . is a folder\nPass a bundle: a file that ends in .promptster.\n")
        assert main([command, "home.promptster"]) == 2
        assert capsys.readouterr().err.startswith(("error: there is no file ", "error: no session or file named "))
    assert home.is_dir()


def test_a_bundle_with_an_unreadable_part_says_which(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is a Promptster bundle, so the message has to say which part is unreadable."""
    parts = read_bundle((home / "ada.promptster").read_bytes())
    (home / "odd.promptster").write_bytes(write_bundle(replace(parts, checkpoint="nothing")))
    assert main(["verify", "odd.promptster", "--trust", "acme.keys"]) == 12
    headline, finding, *_ = capsys.readouterr().out.splitlines()
    assert headline == "UNREADABLE: odd.promptster is a bundle, but a signed part of it cannot be read"
    assert finding.startswith("  checkpoint_malformed: ")


def test_many_findings_are_counted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The screen counts many findings; --json lists all of them."""
    parts = read_bundle((home / "ada.promptster").read_bytes())
    (home / "odd.promptster").write_bytes(write_bundle(replace(parts, events=parts.events[::-1])))
    assert main(["verify", "odd.promptster", "--trust", "acme.keys"]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22
    assert lines[-1].endswith(" more; --json lists all")


def test_a_bundle_of_the_first_release_verifies(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It verifies with its log as before, and without it too, since no log was promised; the first lines say so."""
    data = MADE_BY_0_1.read_bytes()
    parts = read_bundle(data)
    assert b"0.1.0" in parts.consent.payload
    (home / "old.keys").write_bytes(parts.keys)
    assert main(["verify", str(MADE_BY_0_1), "--trust", "old.keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "VERIFIED: nothing was changed, and nothing that was received is missing"
    assert lines[1].startswith("Session  Slugs, for Acme; submitted 30 November 2026, ")
    assert "Log      all 3 receipts are in the collector's log" in lines
    for stripped in (replace(parts, proofs=(), checkpoint=None), replace(parts, proofs=parts.proofs[:1])):
        (home / "old.promptster").write_bytes(write_bundle(stripped))
        assert main(["verify", "old.promptster", "--trust", "old.keys"]) == 0
        first, second, *_ = capsys.readouterr().out.splitlines()
        assert first == lines[0]
        assert second.startswith("  not_in_log: no log proof for the receipts of batches ")
        assert main(["verify", "old.promptster", "--trust", "old.keys", "--json"]) == 0
        document = _json(capsys)
        assert document["log"]["promised"] is False
        assert [finding["effect"] for finding in document["findings"]] == ["note"]
    assert main(["replay", str(MADE_BY_0_1)]) == 0
