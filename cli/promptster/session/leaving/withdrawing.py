"""Withdraws consent: deletes the recording here, and has the collector destroy its keys."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from promptster.client import CollectorClient, CollectorRefusedError
from promptster.clock import SystemClock
from promptster.durable import make_missing_folders, sync
from promptster.errors import CollectorError, PromptsterError, SessionError
from promptster.paths import slug
from promptster.protocol.privacy import Tombstone, Withdrawal
from promptster.protocol.signing import Envelope, open_envelope
from promptster.secret_store import keep_access_token_only, load_access_token
from promptster.session.current import BUNDLE, TOMBSTONE, VAULT, WITHDRAWAL, Current
from promptster.session.joining.redeeming import REQUEST
from promptster.session.leaving.stopping import clear_run, end_recorder
from promptster.session_folder.collector_keys import read_signed
from promptster.session_folder.folder import SessionFolder, SessionState
from promptster.session_folder.touched_files import RestoreOutcome, describe
from promptster.session_folder.wording import one_line
from promptster.times import file_day

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.session_folder.folder import SessionFacts
    from promptster.session_folder.touched_files import Restored

NOT_PUT_BACK = "not-put-back"
"""Folder of the session that keeps the contents of files that could not be restored."""
KEPT_BATCHES_MS = 8 * 24 * 60 * 60 * 1000
"""Milliseconds that batches are kept after submission: a collector restored from a backup may ask for them."""
_GONE = 410
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """A finished withdrawal."""

    tombstone: Tombstone | None
    """The collector's signed confirmation; ``None`` if it never had the session."""
    envelope: Envelope | None
    restored: list[Restored]


def withdraw(current: Current, config: Config) -> Withdrawn:
    """Withdraw consent. Every step can be repeated; nothing is recorded after the first one.

    The signed withdrawal is kept until the collector has answered, so that it can be sent again.

    Raises:
        CollectorError: the collector cannot be reached; everything on this computer is deleted.
        SessionError: the keys were deleted, as after a submission.
    """
    folder = current.folder
    restored: list[Restored] = []
    if not folder.has_document(WITHDRAWAL):
        key = current.secrets.signing_key
        end_recorder(current, withdrawn=True)
        restored = current.touched.restore(leave=folder.path / NOT_PUT_BACK)
        withdrawal = key.sign(Withdrawal(session=current.facts.session, at_ms=SystemClock().wall_ms()))
        folder.write_document(WITHDRAWAL, withdrawal.encode())
    folder.update(state=SessionState.WITHDRAWN)
    delete_local(current, keep_batches=False)
    current.store.delete(current.facts.session)
    try:
        envelope = _send(current, config)
    except CollectorError as error:  # report it now, because the next try no longer knows it
        left = describe([entry for entry in restored if entry.outcome is RestoreOutcome.NOT_PUT_BACK])
        raise CollectorError(error.message, hint="\n".join([*left, error.hint or ""]), code=error.code) from error
    if envelope is None:
        return Withdrawn(tombstone=None, envelope=None, restored=restored)
    tombstone = check_tombstone(current, config, envelope)
    folder.write_document(TOMBSTONE, envelope.encode())
    return Withdrawn(tombstone=tombstone, envelope=envelope, restored=restored)


def withdraw_submitted(current: Current, config: Config) -> Withdrawn:
    """Withdraw consent after submission: the access token entitles the candidate to have the keys destroyed.

    The candidate's own copy is kept; everything else of the session is deleted on this computer.

    Raises:
        SessionError: the access token is no longer on this computer.
        CollectorError: the collector cannot be reached or refused.
    """
    folder = current.folder
    token = load_access_token(current.store, current.facts.session)
    if token is None:
        raise SessionError(
            "this computer can no longer withdraw this session",
            hint=f"Write to {one_line(current.facts.organisation)} to have it deleted.",
            code="session_over",
        )
    end_recorder(current)  # the submission may have been interrupted before its last step
    leave = folder.path / NOT_PUT_BACK
    restored = current.touched.restore(leave=leave) if any(folder.touched.glob("*")) else []
    facts = current.facts
    with CollectorClient(facts.collector_url, token=token, network=config.network) as client:
        try:
            answer: Any = client.delete_session(facts.session).get("tombstone")
        except CollectorRefusedError as error:
            # It was deleted by an earlier call whose answer was lost; the refusal contains the same tombstone.
            answer = error.problem.get("tombstone")
            if error.status != _GONE or answer is None:
                raise
    envelope = Envelope.from_json(answer)
    tombstone = check_tombstone(current, config, envelope)
    folder.write_document(TOMBSTONE, envelope.encode())
    folder.update(state=SessionState.WITHDRAWN)
    delete_local(current, keep_batches=False)
    current.store.delete(facts.session)
    return Withdrawn(tombstone=tombstone, envelope=envelope, restored=restored)


def withdraw_again(current: Current, config: Config) -> Withdrawn:
    """Withdraw a session again, because the collector may have restored it from a backup.

    Its own signed confirmation is sent along, so that it destroys the keys again even if it no longer has a record of
    the withdrawal.

    Raises:
        CollectorError: the collector cannot be reached or refused; the certificate is kept.
        SessionError: the answer belongs to another session.
    """
    folder, facts = current.folder, current.facts
    kept = Envelope.decode(folder.read_document(TOMBSTONE))
    body: dict[str, Any] = {"tombstone": kept.to_json()}
    if folder.has_document(WITHDRAWAL):
        body |= Envelope.decode(folder.read_document(WITHDRAWAL)).to_json()
    try:
        with CollectorClient(facts.collector_url, network=config.network) as client:
            answer: Any = client.withdraw(facts.session, body).get("tombstone")
    except CollectorError as error:
        gone = error if isinstance(error, CollectorRefusedError) and error.status == _GONE else None
        answer = None if gone is None else gone.problem.get("tombstone")
        if answer is None:
            raise CollectorError(
                f"{one_line(facts.organisation)} confirmed this earlier, and could not be asked again: {error.message}",
                hint="Your certificate is kept. Run `promptster withdraw` again later.",
                code=error.code,
            ) from error
    envelope = Envelope.from_json(answer)
    tombstone = check_tombstone(current, config, envelope)
    folder.write_document(TOMBSTONE, envelope.encode())
    return Withdrawn(tombstone=tombstone, envelope=None if envelope == kept else envelope, restored=[])


def save_certificate(paths: Paths, facts: SessionFacts, envelope: Envelope) -> Path:
    """Save the collector's signed confirmation of a withdrawal for the candidate; never replaces a file.

    Raises:
        OSError: it cannot be written; the session's folder contains the same bytes.
    """
    make_missing_folders(paths.data)
    title = slug(facts.title) or "assessment"
    name = f"withdrawn-{file_day(SystemClock().wall_ms())}-{title}"
    for number in count(1):
        path = paths.data / f"{name}{'' if number == 1 else f'-{number}'}.json"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(envelope.encode() + b"\n")
            file.flush()
            sync(handle)
        return path
    raise AssertionError  # there is always another number


def _send(current: Current, config: Config) -> Envelope | None:
    withdrawal = Envelope.decode(current.folder.read_document(WITHDRAWAL))
    facts = current.facts
    try:
        with CollectorClient(facts.collector_url, network=config.network) as client:
            answer: Any = client.withdraw(facts.session, withdrawal.to_json()).get("tombstone")
    except CollectorError as error:
        refused = error if isinstance(error, CollectorRefusedError) else None
        if refused is not None and refused.status == _NOT_FOUND:
            return None
        if refused is not None and refused.status == _GONE and refused.problem.get("tombstone") is not None:
            return Envelope.from_json(refused.problem["tombstone"])
        raise CollectorError(
            f"deleted here, but not yet at {one_line(facts.organisation)}: {error.message}",
            hint="Run `promptster withdraw` again.",
            code=error.code,
        ) from error
    return Envelope.from_json(answer)


def check_tombstone(current: Current, config: Config, envelope: Envelope) -> Tombstone:
    """Return the tombstone if the collector signed it for this session.

    Raises:
        ProtocolError: no trusted key signed it.
        SessionError: it belongs to another session.
    """
    kid = Tombstone.parse(envelope.payload).kid
    tombstone = read_signed(
        current.folder, config.network, lambda keys: open_envelope(Tombstone, envelope, keys.find(kid))
    )
    if tombstone.session != current.facts.session:
        raise SessionError("the certificate belongs to another session", hint="Tell the hiring team.", code="tombstone")
    return tombstone


def delete_local(current: Current, *, keep_batches: bool) -> None:
    """Delete what only a running session needs.

    With ``keep_batches``, after a submission, the batches and the access token are kept, for a collector that lost
    data; all other secrets are deleted.
    """
    folder = current.folder
    parts = [folder.journal, folder.spool, folder.touched, folder.path / "worktree"]
    if not keep_batches:
        parts.append(folder.batches)
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    (folder.documents / REQUEST).unlink(missing_ok=True)
    if keep_batches:
        keep_access_token_only(current.store, current.facts.session)
    shutil.rmtree(folder.path / VAULT, ignore_errors=True)
    clear_run(folder)


def tidy(paths: Paths, now_ms: int) -> None:
    """Delete what is left of sessions submitted more than eight days ago, because no collector asks for it now.

    The candidate's own copy and the access token are kept.
    """
    for path in sorted(paths.sessions.glob("*")):
        folder = SessionFolder(path)
        bundle = folder.documents / BUNDLE
        if not bundle.is_file() or now_ms - bundle.stat().st_mtime_ns // 1_000_000 <= KEPT_BATCHES_MS:
            continue
        with contextlib.suppress(PromptsterError):  # a locked keyring can be used another time
            if (folder.path / VAULT).is_dir():  # its copy did not verify, so keys and journal were kept
                delete_local(Current(folder), keep_batches=True)
            shutil.rmtree(folder.batches, ignore_errors=True)
