"""``promptster verify``: check bundles: nothing changed, nothing missing. Needs no network and no account.

Bundles are also compared with each other and with the checkpoints kept on this computer, to detect a collector that
showed two histories of its log.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption
from promptster.protocol.verdict_words import VerdictWord

if TYPE_CHECKING or needed.work:
    from promptster.commands.histories import EXIT_CODE, read_histories, rest_told, tell
    from promptster.commands.source import read_file, read_stream
    from promptster.config import PinnedKeys
    from promptster.errors import PromptsterError, UsageError, reason_of
    from promptster.paths import Paths
    from promptster.protocol.errors import ProtocolError
    from promptster.protocol.key_succession import parse_keyfile
    from promptster.protocol.verification import verify_bundle
    from promptster.replay.file_diagnosis import why_unreadable
    from promptster.replay.verdict_text import all_findings
    from promptster.session_folder.folder import SessionState
    from promptster.ui.checked import checked, unreadable
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.commands.histories import Histories
    from promptster.protocol.verdict import Verification

_STDIN = "-"
_STDIN_NAME = "standard input"
_WORST_FIRST = (12, 10, 13, 11, 0)
"""Exit codes, the most serious first; see docs/protocol.md."""


def command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="One or more .promptster bundles; - reads one from standard input."),
    ],
    *,
    trust: Annotated[
        list[Path] | None,
        typer.Option(metavar="KEYFILE", help="A collector's public keys, from someone you trust. Can be repeated."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Check bundles offline: nothing changed, nothing missing.

    Trusts the keys in --trust files, and the keys that were saved by promptster login or promptster start. Several
    bundles are also compared: did their collector show the same log to everyone?
    """
    out = Output(json)
    if sum(str(file) == _STDIN for file in files) > 1:
        raise UsageError("standard input (-) can be read only once")
    trusted = _trusted(trust or (), out)
    read = [_checked(file, trusted) for file in files]
    histories = read_histories([(one.name, one.verification) for one in read], Paths.from_environment())
    codes = {one.verification.exit_code for one in read} | ({EXIT_CODE} if histories.split else set[int]())
    exit_code = next(code for code in _WORST_FIRST if code in codes)
    out.result(_document(read, histories, exit_code))
    if not json:
        tell(out, histories)
        for line in _screen(read, histories, keyfile=bool(trust)):
            out.say(line)
    return exit_code


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """One file that was read."""

    file: Path | None
    """``None`` for standard input."""
    name: str
    data: bytes
    verification: Verification


def _checked(file: Path, trusted: frozenset[str]) -> _Checked:
    piped = str(file) == _STDIN
    data = _standard_input() if piped else _read(file, "Pass a bundle: a file that ends in .promptster.")
    verification = verify_bundle(data, trusted=trusted)
    kept = (
        data if verification.verdict is VerdictWord.UNREADABLE else b""
    )  # only to see what it is; bundles can be large
    name = _STDIN_NAME if piped else str(file)
    return _Checked(file=None if piped else file, name=name, data=kept, verification=verification)


def _screen(read: Sequence[_Checked], histories: Histories, *, keyfile: bool) -> Iterator[str]:
    for one in read:
        verification = one.verification
        if len(read) > 1:
            yield f"{escape_line(one.name)}:"
        if verification.verdict is VerdictWord.UNREADABLE:
            yield from unreadable(one.name, why_unreadable(one.data, verification), verification)
        else:
            completable = None if one.file is None else _completable(one.file, verification)
            yield from checked(verification, completable=completable, keyfile=keyfile)
        if len(read) > 1:
            yield ""
    yield from rest_told(histories, len(read))


def _document(read: Sequence[_Checked], histories: Histories, exit_code: int) -> dict[str, Any]:
    """The result as JSON values: one document for one file; for several, one for each and the overall verdict."""
    together = {
        "equivocations": histories.documents(),
        "undecided": [[histories.where(pair.small), histories.where(pair.large)] for pair in histories.undecided],
        "kept_checkpoints": histories.kept,
    }
    verdict = _verdict(read, histories, exit_code)
    if len(read) == 1:
        return {**document(read[0].verification), "verdict": verdict, **together}
    listed = [{"file": one.name, **document(one.verification)} for one in read]
    return {"verdict": verdict, "files": listed, **together}


def _verdict(read: Sequence[_Checked], histories: Histories, exit_code: int) -> str:
    """The overall verdict; files that verify on their own are not verified if their log has two histories."""
    if histories.split and exit_code == EXIT_CODE:
        return "equivocation"
    return next(one.verification.verdict for one in read if one.verification.exit_code == exit_code)


def _completable(file: Path, verification: Verification) -> str | None:
    """The file's name, if it is the candidate's own copy and the collector may have what it lacks."""
    if verification.verdict is VerdictWord.VERIFIED:
        return None
    from promptster.session.leaving.copy_completion import find_own, may_be_completed  # noqa: PLC0415 - brings the network's library

    if not may_be_completed(verification):
        return None
    with contextlib.suppress(PromptsterError, OSError):  # a hint is not worth an error
        own = find_own(Paths.from_environment(), verification)
        return str(file) if own is not None and own.facts.state is not SessionState.WITHDRAWN else None
    return None


def _standard_input() -> bytes:
    if sys.stdin.isatty():
        raise UsageError(
            "pass a bundle file, or pipe one to `promptster verify -`",
            hint="For example: promptster verify - < FILE",
        )
    return read_stream(sys.stdin.buffer)


def _read(file: Path, hint: str) -> bytes:
    if file.is_dir():
        raise UsageError(f"{file} is a folder", hint=hint, code="folder")
    if not file.exists():
        raise UsageError(f"there is no file {file}", code="no_such_file")
    return read_file(file)


def _trusted(keyfiles: Sequence[Path], out: Output) -> frozenset[str]:
    named: set[str] = set()
    for path in keyfiles:
        try:
            named.update(parse_keyfile(_read(path, "Pass a key file.")).fingerprints)
        except ProtocolError as error:
            hint = "Whoever runs the collector can make one: promptster-collector keys --data DIR -o FILE"
            raise UsageError(f"{path} is not a key file: {error.message}", hint=hint, code="keyfile") from error
    try:
        named |= PinnedKeys(Paths.from_environment()).fingerprints()
    except (PromptsterError, OSError) as error:
        out.note(f"warning: the keys pinned on this computer cannot be read and are not trusted: {reason_of(error)}")
        if isinstance(error, PromptsterError) and error.hint:
            out.note(error.hint)
    return frozenset(named)


def document(verification: Verification) -> dict[str, Any]:
    """The result for one bundle as JSON values."""
    signer, certificate, close = verification.signer, verification.certificate, verification.close
    log, consent = verification.log, verification.consent
    return {
        "verdict": verification.verdict,
        "signer": {
            "fingerprint": signer.fingerprint if signer else None,
            "trusted": signer.trusted if signer else False,
        },
        "events": verification.events,
        "gaps": [
            {
                "kind": gap.kind.value,
                "seq": gap.seq,
                "to_seq": gap.to_seq,
                "from_ms": gap.from_ms,
                "to_ms": gap.to_ms,
                "text": gap.text,
            }
            for gap in verification.gaps
        ],
        "findings": [
            {"code": finding.code, "text": finding.text, "effect": finding.effect.name.lower()}
            for finding in all_findings(verification)
        ],
        "untimed": [{"first": span.first, "last": span.last} for span in verification.untimed],
        "coverage": dict(verification.coverage),
        "shown": verification.shown,
        "withheld": verification.withheld,
        "redacted": [
            {"seq": value.seq, "field": value.field, "reason": value.reason, "actor": value.actor}
            for value in verification.redacted
        ],
        "time_vouched_by": list(verification.time_vouched_by),
        "log": None
        if log is None
        else {
            "promised": log.promised,
            "receipts": log.receipts,
            "missing": [{"first": span.first, "last": span.last} for span in log.missing],
            "origin": log.origin,
        },
        "session": certificate.session if certificate else None,
        "organisation": certificate.organisation if certificate else None,
        "outcome": close.outcome if close else None,
        "ended_ms": close.at_ms if close else None,
        "consent": None
        if consent is None
        else {"decided_ms": consent.decided_ms, "policy_sha256": consent.policy_sha256},
        "claim": verification.claim,
    }
