"""The candidate's own copy is written whatever was signed, and says what is missing in it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.answering import Answer, Answering
from tests.helpers.bundles import Bundler, check_of
from tests.helpers.certified import NOW_MS, Certified, paths_below
from tests.helpers.plausible import plausible

from promptster.config import Config
from promptster.protocol.bundle import read_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.key_succession import first_key, keyfile_object, next_key
from promptster.protocol.receipt import Close, CloseOutcome
from promptster.protocol.signing import SigningKey
from promptster.secret_store import FileStore, save_secrets
from promptster.session.current import Current
from promptster.session.leaving.own_copy import copy_path, write_copy
from promptster.session_folder.collector_keys import trusted_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptster.protocol.receipt import Receipt
    from promptster.session.leaving.own_copy import OwnCopy

EVENTS = plausible()


@dataclass
class SealedSession:
    """A session with its batches on disk, and a collector that gives the answers a test sets."""

    folder: Path
    server: Answering
    certified: Certified = field(default_factory=Certified)
    evidence: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Seal the session; the collector's evidence is complete and true."""
        paths = paths_below(self.folder)
        self.config = Config.load(paths, {})
        session = self.certified.folder(paths, collector_url=self.server.url)
        save_secrets(FileStore(session.secrets_file), self.certified.session, self.certified.secrets)
        self.current = Current(session)
        bundler = Bundler(self.certified)
        self.receipts: list[Receipt] = []
        for wire, receipt in bundler.sealed(bundler.recorded(EVENTS)):
            (session.batches / f"{receipt.n:08d}.batch").write_bytes(wire)
            self.receipts.append(receipt)
        sign = self.certified.collector_key.sign
        self.evidence = {
            "keys": json.loads(self.certified.keyfile),
            "receipts": [sign(receipt).to_json() for receipt in self.receipts],
            "checks": [sign(check_of(receipt)).to_json() for receipt in self.receipts],
            "close": self.close().to_json(),
            "redactions": [],
            "checkpoint": None,
            "proofs": [],
        }

    def close(self, outcome: CloseOutcome = CloseOutcome.SUBMITTED, *, batches: int | None = None) -> Any:
        """The signed end after this many batches."""
        count = len(self.receipts) if batches is None else batches
        key = self.certified.collector_key
        return key.sign(
            Close(
                kid=key.kid,
                session=self.certified.session,
                outcome=outcome,
                n=count,
                events=min(count * 20, len(EVENTS)),
                head=self.receipts[count - 1].header_sha256,
                at_ms=NOW_MS,
            )
        )

    def keep_receipts(self) -> None:
        """Keep the receipts on disk too, as the uploader does."""
        for receipt in self.receipts:
            envelope = self.certified.collector_key.sign(receipt)
            (self.current.folder.batches / f"{receipt.n:08d}.receipt").write_bytes(envelope.encode())

    def write(self) -> OwnCopy:
        """Write the copy, when nothing more will come from the collector."""
        self.server.answer = Answer(body=json.dumps(self.evidence).encode())
        return write_copy(self.current, self.config, patience_s=0.0)


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[SealedSession]:
    """A session and its collector."""
    with Answering() as server:
        yield SealedSession(tmp_path, server)


def codes(copy: OwnCopy) -> set[str]:
    """The codes of the findings."""
    return {finding.code for finding in copy.verification.findings}


@pytest.mark.parametrize(("zone", "shift_h"), [("Asia/Tokyo", 9), ("America/New_York", -5)])
def test_a_copy_is_named_as_an_export_is(
    ended: SealedSession, zone: str, shift_h: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name has the day in the candidate's time zone, and a title's letters without their accents."""
    midnight_ms = 1_796_083_200_000 - shift_h * 3_600_000  # 1 December 2026 there
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            for created_ms, day in ((midnight_ms - 1, "2026-11-30"), (midnight_ms, "2026-12-01")):
                ended.current.folder.update(title="F\u00fcnf: a/b", created_ms=created_ms)
                assert copy_path(Current(ended.current.folder), ended.config).name.startswith(f"{day}-funf-a-b-")
    finally:
        time.tzset()


def test_a_copy_of_everything_verifies(ended: SealedSession) -> None:
    """All events and receipts are in one private file whose name says what it is."""
    copy = ended.write()
    assert (copy.verification.verdict, copy.received, copy.complete) == ("verified", len(EVENTS), True)
    assert copy.path == copy_path(ended.current, ended.config)
    assert copy.path.name == f"2026-11-25-take-home-{ended.certified.session[:8]}.promptster"
    assert copy.path.stat().st_mode & 0o077 == 0


def test_a_check_that_failed_is_said_and_stops_nothing(ended: SealedSession) -> None:
    """The copy contains the batch that the collector could not open, and verification names the span."""
    sign = ended.certified.collector_key.sign
    ended.evidence["checks"][1] = sign(check_of(ended.receipts[1], ok=False)).to_json()
    copy = ended.write()
    assert (copy.verification.verdict, copy.complete) == ("incomplete", True)
    assert len(read_bundle(copy.path.read_bytes()).events) == len(EVENTS)


def test_a_closing_batch_that_failed_is_not_waited_for(ended: SealedSession) -> None:
    """The collector will not sign the end then, so the copy is made at once, however long the limit is."""
    sign = ended.certified.collector_key.sign
    ended.evidence["checks"][-1] = sign(check_of(ended.receipts[-1], ok=False)).to_json()
    ended.evidence |= {"close": None, "checkpoint": "x", "proofs": [_proof(receipt.n) for receipt in ended.receipts]}
    ended.server.answer = Answer(body=json.dumps(ended.evidence).encode())
    copy = write_copy(ended.current, ended.config, patience_s=3600.0)
    assert "open_ended" in codes(copy)
    assert copy.path.is_file()


def _proof(n: int) -> dict[str, Any]:
    return {"n": n, "index": n, "proof": []}


@pytest.mark.parametrize(
    "answer", [Answer(cut=True), Answer(status=503), Answer(body=b"[]"), Answer(body=b"{}"), Answer(status=410)]
)
def test_without_the_collector_the_receipts_here_are_used(ended: SealedSession, answer: Answer) -> None:
    """With no answer, a refusal or an invalid answer, the copy still proves what was acknowledged before."""
    ended.keep_receipts()
    ended.server.answer = answer
    copy = write_copy(ended.current, ended.config, patience_s=0.0)
    assert (copy.verification.verdict, copy.received, copy.complete) == ("incomplete", len(EVENTS), True)


def test_what_was_never_received_is_in_the_copy_too(ended: SealedSession) -> None:
    """If a collector ended the session early, the rest does not count as an alteration."""
    for name in ("receipts", "checks"):
        ended.evidence[name] = ended.evidence[name][:2]
    ended.evidence["close"] = ended.close(CloseOutcome.LAPSED, batches=2).to_json()
    copy = ended.write()
    assert (copy.verification.verdict, copy.complete) == ("incomplete", False)
    assert copy.received == 40
    assert copy.verification.events == len(EVENTS)


def test_a_damaged_batch_is_missing_and_the_rest_is_there(ended: SealedSession) -> None:
    """A flipped bit on the candidate's disk costs one span."""
    path = ended.current.folder.batches / "00000001.batch"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    copy = ended.write()
    assert copy.verification.verdict != "verified"
    assert 0 < copy.verification.events < len(EVENTS)


def test_newer_keys_of_the_collector_are_taken_over(ended: SealedSession) -> None:
    """Receipts by a successor of the invite's key verify, and the session trusts that key from now on."""
    old, new = ended.certified.collector_key, SigningKey.generate(ended.certified.named("new"))
    records = [first_key(old, created_ms=NOW_MS), next_key(old, new.public_key, created_ms=NOW_MS)]
    ended.evidence["keys"] = keyfile_object(records)
    assert ended.write().verification.verdict == "verified"
    assert trusted_keys(ended.current.folder).find(new.kid) == new.public_key


def test_keys_in_front_of_the_invites_make_nothing_trusted(ended: SealedSession) -> None:
    """Evidence signed by a forger's key that names the invite's key as its successor is not believed."""
    forger = SigningKey.generate(ended.certified.named("forger"))
    pinned = ended.certified.collector_key
    records = [first_key(forger, created_ms=NOW_MS), next_key(forger, pinned.public_key, created_ms=NOW_MS)]
    ended.evidence["keys"] = keyfile_object(records)
    ended.evidence["receipts"] = [forger.sign(_by(receipt, forger)).to_json() for receipt in ended.receipts]
    copy = ended.write()
    assert copy.verification.verdict == "consistent"
    assert copy.verification.signer is not None
    assert not copy.verification.signer.trusted


def test_keys_that_contradict_the_known_ones_are_left_out(ended: SealedSession) -> None:
    """The copy has the keys that the session trusts, and verification shows what other keys signed."""
    stranger = SigningKey.generate(ended.certified.named("stranger"))
    ended.evidence["keys"] = keyfile_object([first_key(stranger, created_ms=NOW_MS)])
    ended.evidence["receipts"] = [stranger.sign(_by(receipt, stranger)).to_json() for receipt in ended.receipts]
    copy = ended.write()
    assert copy.verification.verdict == "altered"
    assert "foreign_signer" in codes(copy)
    assert read_bundle(copy.path.read_bytes()).keys == ended.certified.keyfile


def _by(receipt: Receipt, key: SigningKey) -> Receipt:
    return replace(receipt, kid=key.kid)


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[SealedSession]:
    """The same session with a certificate that promises the log."""
    with Answering() as server:
        yield SealedSession(tmp_path, server, Certified(limits={"log": 1}))


def test_log_proofs_are_in_the_copy_when_they_are_there(logged: SealedSession) -> None:
    """There are no findings and no next step."""
    note, proofs = logged.certified.logged([logged.certified.collector_key.sign(each) for each in logged.receipts])
    logged.evidence |= {
        "checkpoint": note,
        "proofs": [
            {"n": each.n, "index": each.index, "proof": [b64u_encode(item) for item in each.proof]} for each in proofs
        ],
    }
    logged.server.answer = Answer(body=json.dumps(logged.evidence).encode())
    copy = write_copy(logged.current, logged.config, patience_s=3600.0, proofs_s=3600.0)
    assert (copy.verification.verdict, copy.settled, copy.log_is_late("Acme")) == ("verified", True, [])


def test_a_late_log_is_waited_for_a_while_and_told(logged: SealedSession) -> None:
    """If only proofs are missing, the copy is written after their own limit, however long the other limits are."""
    logged.server.answer = Answer(body=json.dumps(logged.evidence).encode())
    copy = write_copy(logged.current, logged.config, patience_s=3600.0, proofs_s=0.0)
    assert (copy.verification.verdict, copy.complete, copy.settled) == ("incomplete", True, True)
    what = "no log proof for the receipts of batches 0 to 3 (there is no checkpoint of the log)"
    assert copy.log_is_late("Acme") == [
        f"warning: your copy is not complete yet: {what}",
        "Acme has everything, so you need not do anything. To complete your copy later:",
        f"promptster export {copy.path}",
    ]


def test_a_late_log_is_not_all_that_can_be_missing(logged: SealedSession) -> None:
    """With a check missing too, the session is not settled, and the message does not say that only the log is late."""
    logged.evidence["checks"] = logged.evidence["checks"][1:]
    copy = logged.write()
    assert codes(copy) == {"not_in_log", "check_missing"}
    assert (copy.settled, copy.log_is_late("Acme")) == (False, [])
