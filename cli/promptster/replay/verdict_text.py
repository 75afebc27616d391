"""What checking a bundle showed, worded for people: never more than was proved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never

from promptster.protocol.plausibility import ABSENCES, TIMES
from promptster.protocol.verdict import CLAIM, UNTIMED_MEANS, Effect, numbered
from promptster.protocol.verdict_words import VerdictWord
from promptster.replay.formatting import counted
from promptster.replay.policy_text import TEXTS, text_notes
from promptster.times import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.protocol.verdict import Finding, Verification

__all__ = [
    "CLAIM", "SHORT_CLAIM", "Fact", "Instant", "Tone", "Verdict", "all_findings", "doubts", "emptiness", "facts",
    "facts_in_parts", "findings", "log", "notes", "words",
]  # fmt: skip

SHORT_CLAIM: Final = (
    "Signatures prove custody (order and integrity), not truth: the session key was on the candidate's machine. "
    "What was never recorded shows only as gaps."
)
"""``CLAIM`` for a screen that has little room; it promises no more."""


class Tone(StrEnum):
    """How serious a verdict is."""

    GOOD = "good"
    NEUTRAL = "neutral"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How one outcome is put into words."""

    word: str
    """The outcome's name, as ``promptster verify`` prints it."""
    headline: str
    """One sentence."""
    tone: Tone
    """How serious it is."""


class Instant(NamedTuple):
    """A moment among words: whoever shows it knows in whose time to write it."""

    ms: int
    """Milliseconds since the Unix epoch."""


Fact: TypeAlias = tuple[str | Instant, ...]
"""A text, with the moments in it left to be written."""


def words(verification: Verification | None) -> Verdict:
    """The verdict in words; without a bundle there is nothing that could have been checked."""
    if verification is None:
        return Verdict(
            word="not verified",
            headline="shown from the recording itself, not from a signed bundle; nothing was checked",
            tone=Tone.NEUTRAL,
        )
    match verification.verdict:
        case VerdictWord.VERIFIED:
            headline, tone = "nothing was changed, and nothing that was received is missing", Tone.GOOD
        case VerdictWord.CONSISTENT if any(found.effect is Effect.INCOMPLETE for found in findings(verification)):
            headline = "what is here fits together, but something is missing, and anyone could have signed it"
            tone = Tone.WARN
        case VerdictWord.CONSISTENT:
            headline, tone = "nothing contradicts it, but anyone could have signed it", Tone.WARN
        case VerdictWord.INCOMPLETE:
            headline, tone = "what is here is genuine, but something is missing", Tone.WARN
        case VerdictWord.ALTERED:
            headline, tone = "this is not what was signed; do not rely on it", Tone.BAD
        case VerdictWord.UNREADABLE:
            headline, tone = "this is not a bundle that can be checked", Tone.BAD
        case _:  # pragma: no cover
            assert_never(verification.verdict)
    return Verdict(word=verification.verdict.value, headline=headline, tone=tone)


def emptiness(verification: Verification | None) -> str:
    """In place of a timeline that has no entry: emptiness must not read as "nothing happened"."""
    if verification is None:
        return "Nothing is recorded yet."
    return "Nothing in this file could be proved, so none of the session is shown."


def findings(verification: Verification | None) -> list[Finding]:
    """Findings that bear on the verdict, the gravest first; mere notes are among the facts."""
    if verification is None:
        return []
    grave = [finding for finding in verification.findings if finding.effect > Effect.NOTE]
    return sorted(grave, key=lambda finding: -finding.effect)


def all_findings(verification: Verification) -> tuple[Finding, ...]:
    """All findings, with what this program alone can say about the text that was agreed to."""
    return (*verification.findings, *text_notes(verification.policy))


def notes(verification: Verification | None) -> list[Finding]:
    """Findings without weight; of many with one name the first, which says how many more there are."""
    found: dict[str, list[Finding]] = {}
    for finding in all_findings(verification) if verification is not None else ():
        if finding.effect is Effect.NOTE:
            found.setdefault(finding.code, []).append(finding)
    return [
        replace(first, text=f"{first.text}, and {len(more)} more like it") if more else first
        for first, *more in found.values()
    ]


def doubts(verification: Verification | None) -> list[Finding]:
    """The notes on what a session lacks, on times that cannot be true, and on a text that may not hold."""
    return [finding for finding in notes(verification) if finding.code in ABSENCES | TIMES | TEXTS]


def facts(verification: Verification | None, *, moment: Callable[[int], str] = moment) -> list[tuple[str, str]]:
    """What a reader needs to weigh a verdict, as pairs of a label and a text.

    Args:
        verification: what was found.
        moment: how a time in milliseconds is written; in the time of this computer if nothing else is said.
    """
    return [
        (label, "".join(moment(part.ms) if isinstance(part, Instant) else part for part in fact))
        for label, fact in facts_in_parts(verification)
    ]


def facts_in_parts(verification: Verification | None) -> list[tuple[str, Fact]]:
    """``facts`` with their moments apart, to be shown in another way than as text."""
    if verification is None:
        return []
    pairs: list[tuple[str, str | Fact]] = [
        ("events", _events(verification)),
        ("sources", ", ".join(f"{source} {count}" for source, count in verification.coverage.items())),
        ("signer", _signer(verification)),
        ("time", _time(verification)),
        ("log", log(verification)),
        ("batches", _batches(verification)),
        ("untimed", _untimed(verification)),
        ("redacted", _redacted(verification)),
        ("noted", "; ".join(finding.text for finding in notes(verification))),
        ("end", _end(verification)),
        ("consent", _consent(verification)),
        ("policy", _policy(verification)),
    ]
    return [(label, (told,) if isinstance(told, str) else told) for label, told in pairs if told]


def _events(verification: Verification) -> str:
    if verification.signer is None:  # nothing was looked at
        return ""
    shown = f"{counted(verification.shown, 'field')} shown"
    withheld = f", {counted(verification.withheld, 'field')} without a value" if verification.withheld else ""
    return f"{counted(verification.events, 'event')}, each proved to be in its place; {shown}{withheld}"


def _signer(verification: Verification) -> str:
    signer = verification.signer
    if signer is None:
        return "no collector key found"
    trust = "known to the computer that checked it" if signer.trusted else "not known to the computer that checked it"
    return f"{signer.fingerprint} ({trust})"


def _time(verification: Verification) -> str:
    if not verification.time_vouched_by:
        return ""
    _, *witnesses = verification.time_vouched_by
    word = "the collector's word"
    return f"{word}, cosigned by {', '.join(witnesses)}" if witnesses else f"{word}; no witness"


def log(verification: Verification) -> str:
    """What shows that the receipts are in the collector's log."""
    found = verification.log
    if found is None or not found.receipts:
        return ""
    missing = sum(span.last - span.first + 1 for span in found.missing)
    if missing:
        return f"{found.receipts - missing} of {counted(found.receipts, 'receipt')} shown to be in the collector's log"
    every = "the one receipt is" if found.receipts == 1 else f"all {found.receipts} receipts are"
    return f"{every} in the collector's log"


def _batches(verification: Verification) -> str:
    batches = verification.batches
    if not batches:
        return ""
    received = sum(1 for batch in batches if batch.received_ms is not None)
    checked = sum(1 for batch in batches if batch.checked)
    return f"{counted(len(batches), 'batch', 'batches')}: {received} received, {checked} checked by the collector"


def _untimed(verification: Verification) -> str:
    if not verification.untimed:
        return ""
    return f"{numbered(verification.untimed)}: {UNTIMED_MEANS}"


def _redacted(verification: Verification) -> str:
    return "; ".join(
        f"{value.field} of event {value.seq} by {value.actor}: {value.reason}" for value in verification.redacted
    )


def _end(verification: Verification) -> Fact:
    close = verification.close
    if close is None:
        return ("open: no signed end",)
    return f"{close.outcome} with {counted(close.events, 'event')}, ", Instant(close.at_ms)


def _consent(verification: Verification) -> Fact:
    consent = verification.consent
    if consent is None:
        return ()
    return "given ", Instant(consent.decided_ms), f", to policy {consent.policy_sha256}"


def _policy(verification: Verification) -> str:
    policy = verification.policy
    if policy is None:
        return ""
    limit = f", {policy.time_limit_minutes} minutes at most" if policy.time_limit_minutes else ""
    return (
        f"{policy.title}, by {policy.organisation}; kept {counted(policy.retention_days, 'day')}{limit}; "
        f"read by {', '.join(policy.readers)}"
    )
