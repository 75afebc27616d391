"""Completes the candidate's own copy of a session with what the collector signed since the copy was written.

A copy that was written right after the submission can lack log proofs or checks. They are fetched with the access
token, which is kept when the keys are deleted; the events stay as they are. The file is replaced atomically, and only
by a copy that is not worse.
"""

from __future__ import annotations

import shlex
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from promptster.client import CollectorClient, CollectorRefusedError
from promptster.durable import write_private
from promptster.errors import CollectorError, NotSignedInError, PromptsterError, SessionError, reason_of
from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.consent import Certificate
from promptster.protocol.errors import ProtocolError
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.signing import Envelope
from promptster.protocol.verdict import Effect
from promptster.protocol.verdict_words import VerdictWord
from promptster.protocol.verification import verify_bundle
from promptster.session.current import CERTIFICATE, Current
from promptster.session.leaving.own_copy import Signed, closes
from promptster.session_folder.collector_keys import trusted_keys
from promptster.session_folder.folder import SessionFolder, SessionState
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.protocol.verdict import Verification

_GONE: Final = 410
_FETCHABLE: Final = frozenset(
    {
        FindingCode.NOT_IN_LOG,
        FindingCode.RECEIPT_MISSING,
        FindingCode.CHECK_MISSING,
        FindingCode.OPEN_ENDED,
        FindingCode.GAP,
        FindingCode.TRUNCATED,
        FindingCode.VALUE_MISSING,
    }
)
"""Findings about a copy that the collector may be able to resolve."""


class StillIncompleteError(CollectorError):
    """The collector does not have what the copy lacks yet."""

    default_code = "still_incomplete"
    exit_code = 11


@dataclass(frozen=True, kw_only=True)
class Completed:
    """The result of completing a copy."""

    verification: Verification
    size: int
    changed: bool


def may_be_completed(verification: Verification) -> bool:
    """Return whether a bundle is genuine but lacks something that its collector may have."""
    return verification.verdict in {VerdictWord.INCOMPLETE, VerdictWord.CONSISTENT} and any(
        finding.effect is Effect.INCOMPLETE and finding.code in _FETCHABLE for finding in verification.findings
    )


def find_own(paths: Paths, verification: Verification) -> Current | None:
    """Return the session of this computer that a bundle belongs to; ``None`` if it belongs to another one."""
    certificate = verification.certificate
    if certificate is None:
        return None
    folder = SessionFolder(paths.sessions / certificate.session)
    try:
        own = Certificate.parse(Envelope.decode(folder.read_document(CERTIFICATE)).payload)
    except (SessionError, ProtocolError, OSError):
        return None
    return Current(folder) if own == certificate else None


def complete(current: Current, file: Path, data: bytes, config: Config) -> Completed:
    """Fetch what the copy lacks and replace the file.

    Raises:
        SessionError: the copy was altered, or the session's access token is no longer on this computer.
        StillIncompleteError: the collector has nothing to add yet.
        CollectorError: the collector cannot be reached, refuses, or sends something that does not fit the copy.
        PromptsterError: the file cannot be written.
    """
    now = verify_bundle(data, trusted=trusted_keys(current.folder).fingerprints)
    if now.verdict is VerdictWord.VERIFIED:
        return Completed(verification=now, size=len(data), changed=False)
    if now.verdict is not VerdictWord.INCOMPLETE:
        raise SessionError(
            f"{file} is {now.verdict}, so nothing can be added to it",
            hint=f"Nothing was changed. To see why: promptster verify {shlex.quote(str(file))}",
            code=f"bundle_{now.verdict}",
        )
    place = file.resolve()
    better = _fetch_better(current, file, data, now, config)
    verification = verify_bundle(better, trusted=trusted_keys(current.folder).fingerprints)
    try:
        if read_regular(place, limit=len(data)) != data:
            raise SessionError(
                f"another program changed {file} in the meantime",
                hint="Promptster changed nothing. Run the same command again.",
                code="file_changed",
            )
        write_private(place, better)
    except OSError as error:
        raise PromptsterError(f"cannot write {file}: {reason_of(error)}", code="file") from error
    return Completed(verification=verification, size=len(better), changed=True)


def _fetch_better(current: Current, file: Path, data: bytes, now: Verification, config: Config) -> bytes:
    """Return the best bundle that can be made of the copy and what the collector has."""
    facts = current.facts
    token = current.access_token
    if facts.state is SessionState.WITHDRAWN:
        raise _no_longer_there(facts.organisation)
    if token is None:
        raise SessionError(
            "the access token of this session is no longer on this computer",
            hint=f"Nothing was changed. Ask {facts.organisation} for a complete copy.",
            code="token_gone",
        )
    best: bytes | None = None
    fits = False
    client = CollectorClient(facts.collector_url, token=token, network=config.network)
    with _asking(facts.organisation), client:
        for made in _made(current, client, data):
            verification = verify_bundle(made, trusted=trusted_keys(current.folder).fingerprints)
            if _is_worse(verification, now):
                continue
            fits = True
            if _is_better(verification, now):
                best, now = made, verification
            if now.verdict is VerdictWord.VERIFIED:
                break
    if best is not None:
        return best
    if not fits:
        raise _no_fit()
    raise StillIncompleteError(
        f"{facts.organisation}'s collector has nothing new for your copy yet",
        hint=f"Nothing was changed. Try again later: promptster export {shlex.quote(str(file))}",
    )


@contextmanager
def _asking(organisation: str) -> Generator[None]:
    """Turn errors of calls to the collector into errors about the copy."""
    try:
        yield
    except (ProtocolError, LookupError, TypeError) as error:
        raise _no_fit() from error
    except NotSignedInError as error:
        raise SessionError(
            f"{organisation}'s collector no longer accepts this session's access token",
            hint=f"Nothing was changed. Ask {organisation} for a complete copy.",
            code="token_refused",
        ) from error
    except CollectorRefusedError as error:
        if error.status != _GONE:
            raise
        raise _no_longer_there(organisation) from error


def _made(current: Current, client: CollectorClient, data: bytes) -> Iterator[bytes]:
    """Yield bundles that may be better: the copy with the latest signatures, then the collector's own bundle."""
    parts = read_bundle(data)
    session = current.facts.session
    signed = Signed.from_evidence(client.evidence(session))
    keys = trusted_keys(current.folder)
    continued = signed.keyfile is not None and keys.take_over(signed.keyfile)
    close = signed.close if closes(signed.close, len(parts.headers)) else None
    yield write_bundle(
        replace(
            parts,
            keys=signed.keyfile if continued and signed.keyfile is not None else parts.keys,
            receipts=signed.receipts,
            checks=signed.checks,
            close=close or parts.close,
            redactions=signed.redactions or parts.redactions,
            checkpoint=signed.checkpoint,
            proofs=signed.proofs,
        )
    )
    with suppress(CollectorError):  # the signatures suffice for now; the rest can be fetched later
        yield client.bundle(session)


def _no_longer_there(organisation: str) -> SessionError:
    return SessionError(
        f"{organisation} no longer has this session",
        hint="Nothing was changed: your copy stays as it is.",
        code="session_gone",
    )


def _no_fit() -> CollectorError:
    return CollectorError(
        "what the collector sent does not match your copy",
        hint="Nothing was changed. Keep your copy and tell the hiring team.",
        code="does_not_fit",
    )


def _lacks(verification: Verification) -> set[str]:
    return {finding.code for finding in verification.findings if finding.effect is Effect.INCOMPLETE}


def _unlogged(verification: Verification) -> int:
    return sum(span.last - span.first + 1 for span in verification.log.missing) if verification.log else 0


def _is_worse(made: Verification, now: Verification) -> bool:
    """Return whether something that the copy has would be lost."""
    return (
        made.verdict not in {VerdictWord.VERIFIED, VerdictWord.INCOMPLETE}
        or made.certificate != now.certificate
        or made.events < now.events
        or made.shown < now.shown
        or not _lacks(made) <= _lacks(now)
        or _unlogged(made) > _unlogged(now)
    )


def _is_better(made: Verification, now: Verification) -> bool:
    """Return whether a bundle that is not worse has something that the copy lacks."""
    return (
        made.verdict != now.verdict
        or made.events > now.events
        or made.shown > now.shown
        or _lacks(made) < _lacks(now)
        or _unlogged(made) < _unlogged(now)
    )
