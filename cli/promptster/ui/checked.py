"""What ``promptster verify`` prints: the verdict first, then only what helps with it.

If a bundle was altered, only the problems are shown: a table of facts would give altered bytes weight. All text from
the bundle is escaped.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.gaps import PAUSE_LEAD, is_outage
from promptster.protocol.receipt import CloseOutcome
from promptster.protocol.verdict import UNTIMED_MEANS, GapKind, in_words
from promptster.protocol.verdict_words import VerdictWord
from promptster.replay.verdict_text import SHORT_CLAIM, findings, log, notes, words
from promptster.times import moment, soon, span
from promptster.ui.escape import escape_line
from promptster.ui.wrapping import columns, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.protocol.verdict import Finding, Gap, Verification

_LABEL: Final = 9
"""The width of labels."""
_DIGITS: Final = 16
"""How many digits of a fingerprint are shown; ``--json`` has all."""
_MOST: Final = 20
"""The most findings, and the most gaps, that are listed."""


def checked(verification: Verification, *, completable: str | None = None, keyfile: bool = False) -> Iterator[str]:
    """The screen for a file that is a bundle.

    Args:
        verification: what was found; its verdict is not ``unreadable``.
        completable: the file's name, if ``promptster export`` may complete it on this computer.
        keyfile: whether a key file was given in addition to the keys on this computer.
    """
    told = words(verification)
    grave = findings(verification)
    if verification.verdict is VerdictWord.CONSISTENT:
        key = verification.signer.fingerprint[:_DIGITS] if verification.signer else "unknown"
        headline = f"{told.headline}: this computer does not know the key {key}"
        yield from _wrapped(f"CONSISTENT, SIGNER UNKNOWN: {headline}")
        grave = [finding for finding in grave if finding.code != FindingCode.SIGNER_UNKNOWN]
    else:
        yield from _wrapped(f"{told.word.upper()}: {told.headline}")
    yield from _listed([*grave, *notes(verification)])
    if verification.verdict is VerdictWord.CONSISTENT:
        yield "Get the keys from someone you trust, then add --trust KEYFILE."
    if completable is not None:
        yield f"To complete your own copy: promptster export {escape_line(shlex.quote(completable))}"
    if verification.verdict is VerdictWord.ALTERED:
        return
    yield from _facts(verification, keyfile=keyfile)
    if verification.verdict is VerdictWord.VERIFIED:
        yield from _wrapped(SHORT_CLAIM)


def unreadable(name: str, why: str, verification: Verification) -> Iterator[str]:
    """The screen for a file that cannot be read: what it is, and the findings if it is a bundle."""
    yield f"UNREADABLE: {escape_line(name)} {why}"
    if verification.signer is not None:
        yield from _listed(findings(verification))


def _wrapped(text: str, *, first: str = "", then: str = "") -> list[str]:
    return fold(first + text, columns(), len(then))


def _listed(found: Sequence[Finding]) -> Iterator[str]:
    for finding in found[:_MOST]:
        yield from _wrapped(f"{finding.code}: {escape_line(finding.text)}", first="  ", then="    ")
    if len(found) > _MOST:
        yield f"  and {len(found) - _MOST} more; --json lists all"


def _facts(verification: Verification, *, keyfile: bool) -> Iterator[str]:
    rows = [
        ("Session", [_session(verification)]),
        ("Events", [_events(verification)]),
        ("Sources", [_sources(verification)]),
        ("Gaps", _gaps(verification)),
        ("Untimed", [f"events {in_words(verification.untimed)}: {UNTIMED_MEANS}"] if verification.untimed else []),
        ("Signer", [_signer(verification, keyfile=keyfile)]),
        ("Time", [_time(verification)]),
        ("Log", [log(verification)]),
    ]
    for label, texts in rows:
        for place, text in enumerate(filter(None, texts)):
            first = f"{label if not place else '':<{_LABEL}}"
            yield from _wrapped(escape_line(text), first=first, then=" " * _LABEL)


def _session(verification: Verification) -> str:
    policy, certificate, close = verification.policy, verification.certificate, verification.close
    title = policy.title if policy is not None else "a session"
    by = f", for {certificate.organisation}" if certificate is not None else ""
    if close is None:
        return f"{title}{by}; nothing shows that it ended"
    end = "never submitted; ended" if close.outcome == CloseOutcome.LAPSED else "submitted"
    return f"{title}{by}; {end} {moment(close.at_ms)}"


def _events(verification: Verification) -> str:
    batches = verification.batches
    received = sum(1 for batch in batches if batch.received_ms is not None)
    good = sum(1 for batch in batches if batch.received_ms is not None and batch.checked and batch.proven)
    whole = bool(batches) and good == len(batches)
    parts = [f"{verification.events:,}, all received and checked" if whole else f"{verification.events:,} verified"]
    if batches and not whole:
        checks = sum(1 for batch in batches if batch.checked)
        parts.append(f"of {len(batches)} batches {received} were received and {checks} checked")
    redacted: dict[str, set[int]] = {}
    for value in verification.redacted:
        redacted.setdefault(value.actor, set()).add(value.seq)
    for actor, events in sorted(redacted.items()):
        parts.append(f"{len(events):,} redacted by {'the candidate' if actor == 'candidate' else actor}")
    absent = verification.withheld - len(verification.redacted)
    if absent > 0:
        parts.append(f"{absent:,} values are not included")
    return "; ".join(parts)


def _sources(verification: Verification) -> str:
    most = sorted(verification.coverage.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{source} {count:,}" for source, count in most)


def _gaps(verification: Verification) -> list[str]:
    """Each gap with its time, and with its date if that is not the day on which the session ended."""
    last = max((event.ms for event in verification.opened), default=0)
    told = [f"{soon(gap.from_ms, last)} {_gap(gap)}" for gap in verification.gaps[:_MOST]]
    rest = len(verification.gaps) - _MOST
    return [*told, f"and {rest} more; --json lists all"] if rest > 0 else told


def _gap(gap: Gap) -> str:
    length = span(gap.to_ms - gap.from_ms) if gap.to_ms is not None and gap.to_ms > gap.from_ms else ""
    if gap.kind is not GapKind.PAUSED:
        return f"{gap.text} ({length})" if length else gap.text
    if is_outage(gap.kind, gap.text):
        return f"the recorder was not running{f' for {length}' if length else ''}"
    why = gap.text.removeprefix(PAUSE_LEAD)
    return f"paused{why}" if gap.to_ms is None else f"paused for {length or 'a moment'}{why}"


def _signer(verification: Verification, *, keyfile: bool) -> str:
    signer = verification.signer
    if signer is None:
        return ""
    who = "this computer or from the key file" if keyfile and signer.trusted else "this computer"
    return f"{signer.fingerprint[:_DIGITS]} ({'known' if signer.trusted else 'not known'} to {who})"


def _time(verification: Verification) -> str:
    witnesses = verification.time_vouched_by[1:]
    said = f"cosigned by {', '.join(witnesses)}" if witnesses else "no witness"
    return f"the collector's word; {said}"
