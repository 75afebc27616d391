"""``promptster verify``: check a bundle; nothing changed, nothing missing. Needs no network and no account."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.commands.source import read_file
    from promptster.config import PinnedKeys
    from promptster.errors import PromptsterError, UsageError
    from promptster.paths import Paths
    from promptster.protocol.errors import ProtocolError
    from promptster.protocol.keys import parse_keyfile
    from promptster.protocol.verification import verify_bundle
    from promptster.replay import verdict
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output
    from promptster.ui.reading import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.protocol.verdict import Verification

_STDIN = "-"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .promptster bundle; - reads it from standard input.")],
    *,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="KEYFILE", help="A collector's public keys, got from somebody you trust; may be repeated."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Check a bundle, offline.

    Exit codes: 0 verified, 10 altered, 11 incomplete, 12 unreadable, 13 consistent but the signer is unknown. Trusted
    are the keys in --trust files, and those pinned by promptster login or by accepting an invite.
    """
    out = Output(json)
    trusted = _trusted(trust or (), out)
    verification = verify_bundle(_standard_input() if str(file) == _STDIN else _bundle(file), trusted=trusted)
    out.result(document(verification))
    if not json:
        for line in _lines(verification, "standard input" if str(file) == _STDIN else str(file)):
            out.say(line)
    return verification.exit_code


def _standard_input() -> bytes:
    if sys.stdin.isatty():
        raise UsageError("a bundle cannot be typed", hint="name the file, or send it: promptster verify - < FILE")
    return sys.stdin.buffer.read()


def _bundle(file: Path) -> bytes:
    if not file.is_file():
        raise UsageError(f"there is no file {file}", code="no_such_file")
    return read_file(file)


def _trusted(keyfiles: Sequence[Path], out: Output) -> frozenset[str]:
    named: set[str] = set()
    for path in keyfiles:
        try:
            named.update(parse_keyfile(_bundle(path)).fingerprints)
        except ProtocolError as error:
            hint = "promptster-collector keys writes one"
            raise UsageError(f"{path} is not a key file: {error.message}", hint=hint, code="keyfile") from error
    try:
        named |= PinnedKeys(Paths.from_environment()).fingerprints()
    except (PromptsterError, OSError) as error:
        out.note(f"warning: the keys pinned on this computer cannot be read and are not trusted ({error})")
    return frozenset(named)


def document(verification: Verification) -> dict[str, Any]:
    """The result for scripts."""
    signer, certificate, close = verification.signer, verification.certificate, verification.close
    return {
        "verdict": verification.verdict,
        "signer": {
            "fingerprint": signer.fingerprint if signer else None,
            "trusted": signer.trusted if signer else False,
        },
        "events": verification.events,
        "gaps": [
            {"kind": gap.kind, "seq": gap.seq, "from_ms": gap.from_ms, "to_ms": gap.to_ms, "text": gap.text}
            for gap in verification.gaps
        ],
        "findings": [
            {"code": finding.code, "text": finding.text, "effect": finding.effect.name.lower()}
            for finding in verification.findings
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
        "session": certificate.session if certificate else None,
        "organisation": certificate.organisation if certificate else None,
        "outcome": close.outcome if close else None,
        "claim": verification.claim,
    }


def _lines(verification: Verification, file: str) -> Iterator[str]:
    told = verdict.words(verification)
    yield f"{told.word.upper()}: {told.headline}"
    yield ""
    yield f"file       {escape_line(file)}"
    for label, text in verdict.facts(verification):
        yield f"{label:<10} {escape_line(text)}"
    grave = verdict.findings(verification)
    if grave:
        yield ""
        yield "what was found:"
        for finding in grave:
            yield f"  {finding.code}: {escape_line(finding.text)}"
    if verification.gaps:
        yield ""
        yield "gaps of capture, by the recorder's own word; they do not change the verdict:"
        for gap in verification.gaps:
            yield f"  event {gap.seq}: {escape_line(gap.text)}"
    yield ""
    yield from wrap(verification.claim)
