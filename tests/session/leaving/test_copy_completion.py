"""The candidate's own copy is completed with what the collector has signed since, and never made worse."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.answering import Answer, Answering
from tests.helpers.bundles import Bundler
from tests.helpers.certified import Certified, paths_below
from tests.helpers.plausible import plausible

from promptster.config import Config
from promptster.errors import PromptsterError
from promptster.keys import FileStore, save_secrets
from promptster.protocol.bundle import BundleParts, read_bundle, write_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.verification import verify_bundle
from promptster.session.current import Current
from promptster.session.leaving.copy_completion import (
    Completed,
    StillIncompleteError,
    complete,
    find_own,
    may_be_completed,
)
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from promptster.protocol.transparency_log import LogProof

EVENTS = plausible()


@dataclass
class Desk:
    """A submitted session, its copy without a log, and a collector that gives the answers a test sets."""

    folder: Path
    server: Answering

    def __post_init__(self) -> None:
        """Make the copy and the collector's current answer."""
        self.certified = Certified(limits={"log": 1})
        self.paths = paths_below(self.folder)
        self.config = Config.load(self.paths, {})
        session = self.certified.folder(self.paths, collector_url=self.server.url)
        save_secrets(FileStore(session.secrets_file), self.certified.session, self.certified.secrets)
        self.current = Current(session)
        self.parts = read_bundle(Bundler(self.certified).bundle(EVENTS))
        self.file = self.folder / "mine.promptster"
        self.keep(self.stripped)

    @property
    def stripped(self) -> BundleParts:
        """The session without its log."""
        return replace(self.parts, proofs=(), checkpoint=None)

    def keep(self, parts: BundleParts) -> bytes:
        """Replace the copy with this one."""
        self.file.write_bytes(write_bundle(parts))
        return self.file.read_bytes()

    def say(self, **changes: Any) -> None:
        """Set the collector's answer: everything that it signed, with these members replaced."""
        parts = replace(self.parts, **changes)
        evidence = {
            "keys": json.loads(parts.keys),
            "receipts": [receipt.to_json() for receipt in parts.receipts],
            "checks": [check.to_json() for check in parts.checks],
            "close": None if parts.close is None else parts.close.to_json(),
            "redactions": [],
            "checkpoint": parts.checkpoint,
            "proofs": [_proof(proof) for proof in parts.proofs],
        }
        self.server.answer = Answer(body=json.dumps(evidence).encode())

    def complete(self) -> Completed:
        """Complete the copy."""
        return complete(self.current, self.file, self.file.read_bytes(), self.config)

    def refused(self) -> PromptsterError:
        """The error with which it is not completed; the file is unchanged and there is no other file next to it."""
        before, beside = self.file.read_bytes(), sorted(self.folder.iterdir())
        with pytest.raises(PromptsterError) as told:
            self.complete()
        assert self.file.read_bytes() == before
        assert sorted(self.folder.iterdir()) == beside
        return told.value


def _proof(proof: LogProof) -> dict[str, Any]:
    return {"n": proof.n, "index": proof.index, "proof": [b64u_encode(item) for item in proof.proof]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A session and its collector."""
    with Answering() as server:
        yield Desk(tmp_path, server)


def test_log_proofs_are_added_later(desk: Desk) -> None:
    """The events stay byte for byte, the copy verifies, and the file is complete and private."""
    desk.say()
    done = desk.complete()
    assert (done.verification.verdict, done.changed, done.size) == ("verified", True, desk.file.stat().st_size)
    assert desk.file.read_bytes() == write_bundle(desk.parts)
    assert desk.file.stat().st_mode & 0o077 == 0
    asked = [(request.method, request.path) for request in desk.server.asked]
    assert asked == [("GET", f"/v1/sessions/{desk.certified.session}/evidence")]
    assert desk.server.asked[0].headers["authorization"] == f"Bearer {desk.certified.secrets.access_token}"


def test_a_complete_copy_is_left_alone(desk: Desk) -> None:
    """The collector is not asked, and nothing is written."""
    data = desk.keep(desk.parts)
    done = desk.complete()
    assert (done.verification.verdict, done.changed, done.size) == ("verified", False, len(data))
    assert desk.server.asked == []


def test_what_is_there_is_added_even_if_it_is_not_all(desk: Desk) -> None:
    """Two of four proofs are added; the next call adds the rest."""
    note, proofs = desk.certified.logged(desk.parts.receipts[:2])
    desk.say(checkpoint=note, proofs=proofs)
    done = desk.complete()
    assert (done.verification.verdict, done.verification.exit_code, done.changed) == ("incomplete", 11, True)
    assert done.verification.log is not None
    assert [(span.first, span.last) for span in done.verification.log.missing] == [(2, 3)]
    desk.say()
    assert desk.complete().verification.verdict == "verified"


def test_checks_and_the_end_are_added_too(desk: Desk) -> None:
    """A copy that was made before the collector had checked anything is completed."""
    desk.keep(replace(desk.stripped, checks=(), close=None))
    desk.say()
    assert desk.complete().verification.verdict == "verified"


def test_nothing_new_is_said_and_changes_nothing(desk: Desk) -> None:
    """The exit code is 11, and the hint has the command for later."""
    desk.say(checkpoint=None, proofs=())
    error = desk.refused()
    assert isinstance(error, StillIncompleteError)
    assert (error.code, error.exit_code) == ("still_incomplete", 11)
    assert error.hint == f"Nothing was changed. Try again later: promptster export {desk.file}"


def _fewer_receipts(desk: Desk) -> None:
    desk.say(receipts=desk.parts.receipts[:2])


def _proofs_that_lead_elsewhere(desk: Desk) -> None:
    desk.say(proofs=tuple(replace(proof, index=0) for proof in desk.parts.proofs))


def _a_checkpoint_that_is_none(desk: Desk) -> None:
    desk.say(checkpoint="nothing")


def _nothing_at_all(desk: Desk) -> None:
    desk.say(receipts=(), checks=(), close=None, checkpoint=None, proofs=())


def _fewer_proofs(desk: Desk) -> None:
    note, proofs = desk.certified.logged(desk.parts.receipts[:2])
    desk.keep(replace(desk.parts, checkpoint=note, proofs=proofs))
    desk.say(checkpoint=None, proofs=())


def _a_strangers_receipts(desk: Desk) -> None:
    desk.say(receipts=read_bundle(Bundler(Certified(seed=7)).bundle(EVENTS)).receipts)


@pytest.mark.parametrize(
    "change",
    [
        _fewer_receipts,
        _proofs_that_lead_elsewhere,
        _a_checkpoint_that_is_none,
        _nothing_at_all,
        _fewer_proofs,
        _a_strangers_receipts,
    ],
)
def test_a_worse_bundle_never_replaces_the_copy(desk: Desk, change: Callable[[Desk], None]) -> None:
    """With fewer receipts or proofs, invalid ones, or a stranger's, the copy is kept and the candidate is warned."""
    change(desk)
    assert desk.refused().code == "does_not_fit"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(body=b"{}"), "does_not_fit"),
        (Answer(body=b"[]"), "collector_answer"),
        (Answer(status=401), "token_refused"),
        (Answer(status=410), "session_gone"),
        (Answer(status=503), "collector_refused"),
        (Answer(cut=True), "collector_unreachable"),
    ],
)
def test_a_collector_that_does_not_help_costs_nothing(desk: Desk, answer: Answer, code: str) -> None:
    """Each refusal has its code and says what to do; the file is unchanged."""
    desk.server.answer = answer
    error = desk.refused()
    assert error.code == code
    assert error.hint


def test_without_the_access_token_nobody_is_asked(desk: Desk) -> None:
    """The collector is not asked if the token was deleted by a withdrawal or with the keyring."""
    FileStore(desk.current.folder.secrets_file).delete(desk.certified.session)
    assert desk.refused().code == "token_gone"
    assert desk.server.asked == []


def test_what_was_withdrawn_is_asked_for_no_more(desk: Desk) -> None:
    """The message does not send the candidate to the organisation for a copy that it destroyed."""
    desk.current.folder.update(state=SessionState.WITHDRAWN)
    FileStore(desk.current.folder.secrets_file).delete(desk.certified.session)
    error = desk.refused()
    assert (error.code, error.message) == ("session_gone", "Acme no longer has this session")
    assert desk.server.asked == []


def test_the_next_command_can_be_pasted(desk: Desk) -> None:
    """A name with a space in it stays one argument of the shell."""
    desk.file = desk.file.rename(desk.folder / "my copy.promptster")
    desk.say(checkpoint=None, proofs=())
    hint = desk.refused().hint or ""
    assert shlex.split(hint.partition("promptster export ")[2]) == [str(desk.file)]


def test_an_altered_file_is_evidence_and_is_not_replaced(desk: Desk) -> None:
    """Nothing is added to a copy that was changed, so that the change stays visible."""
    desk.keep(replace(desk.stripped, events=desk.parts.events[1:] + desk.parts.events[:1]))
    desk.say()
    assert desk.refused().code == "bundle_altered"


def test_a_link_to_the_copy_stays_a_link(desk: Desk) -> None:
    """The link's target is completed."""
    link = desk.folder / "link.promptster"
    link.symlink_to(desk.file)
    desk.say()
    complete(desk.current, link, link.read_bytes(), desk.config)
    assert link.is_symlink()
    assert desk.file.read_bytes() == write_bundle(desk.parts)


def test_a_copy_is_known_by_its_certificate(desk: Desk) -> None:
    """A copy is recognised anywhere; a stranger's bundle is not, even if it has the same session's name."""
    check = partial(verify_bundle, trusted=desk.certified.keys.fingerprints)
    own = find_own(desk.paths, check(desk.file.read_bytes()))
    assert own is not None
    assert own.facts.session == desk.certified.session
    stranger = Certified(seed=7, limits={"log": 1})
    assert find_own(desk.paths, check(Bundler(stranger).bundle(EVENTS))) is None
    other = Certified(limits={"log": 1}, record_until=1)
    assert other.session == desk.certified.session
    assert find_own(desk.paths, check(Bundler(other).bundle(EVENTS))) is None
    assert find_own(desk.paths, check(b"nothing")) is None


def test_only_what_a_collector_may_have_is_offered(desk: Desk) -> None:
    """Completing is offered for a missing proof, but not for a copy that is complete, altered, or cut off for good."""
    check = partial(verify_bundle, trusted=desk.certified.keys.fingerprints)
    assert may_be_completed(check(write_bundle(desk.stripped)))
    assert not may_be_completed(check(write_bundle(desk.parts)))
    assert not may_be_completed(check(write_bundle(replace(desk.stripped, headers=desk.parts.headers[::-1]))))
