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
from promptster.protocol.bundle import BundleParts, read_bundle, write_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.verification import verify_bundle
from promptster.secret_store import FileStore, save_secrets
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
class SubmittedSession:
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
def submitted(tmp_path: Path) -> Iterator[SubmittedSession]:
    """A session and its collector."""
    with Answering() as server:
        yield SubmittedSession(tmp_path, server)


def test_log_proofs_are_added_later(submitted: SubmittedSession) -> None:
    """The events stay byte for byte, the copy verifies, and the file is complete and private."""
    submitted.say()
    done = submitted.complete()
    assert (done.verification.verdict, done.changed, done.size) == ("verified", True, submitted.file.stat().st_size)
    assert submitted.file.read_bytes() == write_bundle(submitted.parts)
    assert submitted.file.stat().st_mode & 0o077 == 0
    asked = [(request.method, request.path) for request in submitted.server.asked]
    assert asked == [("GET", f"/v1/sessions/{submitted.certified.session}/evidence")]
    assert submitted.server.asked[0].headers["authorization"] == f"Bearer {submitted.certified.secrets.access_token}"


def test_a_complete_copy_is_left_alone(submitted: SubmittedSession) -> None:
    """The collector is not asked, and nothing is written."""
    data = submitted.keep(submitted.parts)
    done = submitted.complete()
    assert (done.verification.verdict, done.changed, done.size) == ("verified", False, len(data))
    assert submitted.server.asked == []


def test_what_is_there_is_added_even_if_it_is_not_all(submitted: SubmittedSession) -> None:
    """Two of four proofs are added; the next call adds the rest."""
    note, proofs = submitted.certified.logged(submitted.parts.receipts[:2])
    submitted.say(checkpoint=note, proofs=proofs)
    done = submitted.complete()
    assert (done.verification.verdict, done.verification.exit_code, done.changed) == ("incomplete", 11, True)
    assert done.verification.log is not None
    assert [(span.first, span.last) for span in done.verification.log.missing] == [(2, 3)]
    submitted.say()
    assert submitted.complete().verification.verdict == "verified"


def test_checks_and_the_end_are_added_too(submitted: SubmittedSession) -> None:
    """A copy that was made before the collector had checked anything is completed."""
    submitted.keep(replace(submitted.stripped, checks=(), close=None))
    submitted.say()
    assert submitted.complete().verification.verdict == "verified"


def test_nothing_new_is_said_and_changes_nothing(submitted: SubmittedSession) -> None:
    """The exit code is 11, and the hint has the command for later."""
    submitted.say(checkpoint=None, proofs=())
    error = submitted.refused()
    assert isinstance(error, StillIncompleteError)
    assert (error.code, error.exit_code) == ("still_incomplete", 11)
    assert error.hint == f"Nothing was changed. Try again later: promptster export {submitted.file}"


def _fewer_receipts(submitted: SubmittedSession) -> None:
    submitted.say(receipts=submitted.parts.receipts[:2])


def _proofs_that_lead_elsewhere(submitted: SubmittedSession) -> None:
    submitted.say(proofs=tuple(replace(proof, index=0) for proof in submitted.parts.proofs))


def _a_checkpoint_that_is_none(submitted: SubmittedSession) -> None:
    submitted.say(checkpoint="nothing")


def _nothing_at_all(submitted: SubmittedSession) -> None:
    submitted.say(receipts=(), checks=(), close=None, checkpoint=None, proofs=())


def _fewer_proofs(submitted: SubmittedSession) -> None:
    note, proofs = submitted.certified.logged(submitted.parts.receipts[:2])
    submitted.keep(replace(submitted.parts, checkpoint=note, proofs=proofs))
    submitted.say(checkpoint=None, proofs=())


def _a_strangers_receipts(submitted: SubmittedSession) -> None:
    submitted.say(receipts=read_bundle(Bundler(Certified(seed=7)).bundle(EVENTS)).receipts)


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
def test_a_worse_bundle_never_replaces_the_copy(
    submitted: SubmittedSession, change: Callable[[SubmittedSession], None]
) -> None:
    """With fewer receipts or proofs, invalid ones, or a stranger's, the copy is kept and the candidate is warned."""
    change(submitted)
    assert submitted.refused().code == "does_not_fit"


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
def test_a_collector_that_does_not_help_costs_nothing(submitted: SubmittedSession, answer: Answer, code: str) -> None:
    """Each refusal has its code and says what to do; the file is unchanged."""
    submitted.server.answer = answer
    error = submitted.refused()
    assert error.code == code
    assert error.hint


def test_without_the_access_token_nobody_is_asked(submitted: SubmittedSession) -> None:
    """The collector is not asked if the token was deleted by a withdrawal or with the keyring."""
    FileStore(submitted.current.folder.secrets_file).delete(submitted.certified.session)
    assert submitted.refused().code == "token_gone"
    assert submitted.server.asked == []


def test_what_was_withdrawn_is_asked_for_no_more(submitted: SubmittedSession) -> None:
    """The message does not send the candidate to the organisation for a copy that it destroyed."""
    submitted.current.folder.update(state=SessionState.WITHDRAWN)
    FileStore(submitted.current.folder.secrets_file).delete(submitted.certified.session)
    error = submitted.refused()
    assert (error.code, error.message) == ("session_gone", "Acme no longer has this session")
    assert submitted.server.asked == []


def test_the_next_command_can_be_pasted(submitted: SubmittedSession) -> None:
    """A name with a space in it stays one argument of the shell."""
    submitted.file = submitted.file.rename(submitted.folder / "my copy.promptster")
    submitted.say(checkpoint=None, proofs=())
    hint = submitted.refused().hint or ""
    assert shlex.split(hint.partition("promptster export ")[2]) == [str(submitted.file)]


def test_an_altered_file_is_evidence_and_is_not_replaced(submitted: SubmittedSession) -> None:
    """Nothing is added to a copy that was changed, so that the change stays visible."""
    submitted.keep(replace(submitted.stripped, events=submitted.parts.events[1:] + submitted.parts.events[:1]))
    submitted.say()
    assert submitted.refused().code == "bundle_altered"


def test_a_link_to_the_copy_stays_a_link(submitted: SubmittedSession) -> None:
    """The link's target is completed."""
    link = submitted.folder / "link.promptster"
    link.symlink_to(submitted.file)
    submitted.say()
    complete(submitted.current, link, link.read_bytes(), submitted.config)
    assert link.is_symlink()
    assert submitted.file.read_bytes() == write_bundle(submitted.parts)


def test_a_copy_is_known_by_its_certificate(submitted: SubmittedSession) -> None:
    """A copy is recognised anywhere; a stranger's bundle is not, even if it has the same session's name."""
    check = partial(verify_bundle, trusted=submitted.certified.keys.fingerprints)
    own = find_own(submitted.paths, check(submitted.file.read_bytes()))
    assert own is not None
    assert own.facts.session == submitted.certified.session
    stranger = Certified(seed=7, limits={"log": 1})
    assert find_own(submitted.paths, check(Bundler(stranger).bundle(EVENTS))) is None
    other = Certified(limits={"log": 1}, record_until=1)
    assert other.session == submitted.certified.session
    assert find_own(submitted.paths, check(Bundler(other).bundle(EVENTS))) is None
    assert find_own(submitted.paths, check(b"nothing")) is None


def test_only_what_a_collector_may_have_is_offered(submitted: SubmittedSession) -> None:
    """Completing is offered for a missing proof, but not for a copy that is complete, altered, or cut off for good."""
    check = partial(verify_bundle, trusted=submitted.certified.keys.fingerprints)
    assert may_be_completed(check(write_bundle(submitted.stripped)))
    assert not may_be_completed(check(write_bundle(submitted.parts)))
    assert not may_be_completed(check(write_bundle(replace(submitted.stripped, headers=submitted.parts.headers[::-1]))))
