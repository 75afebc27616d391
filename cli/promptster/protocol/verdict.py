"""What a verification says: findings by name, gaps, spans, coverage, and the claim that goes with each verdict."""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.errors import ProtocolError
from promptster.protocol.events import OpenedEvent
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.log_consistency import View
from promptster.protocol.policy import Policy
from promptster.protocol.receipt import Close
from promptster.protocol.verdict_words import VerdictWord

CLAIM: Final = (
    "Signatures prove order, integrity and, after a receipt, that nothing received was changed, inserted, reordered or "
    "dropped unnoticed. They prove custody, not truth: the session key lives on the candidate's machine. "
    "What was never recorded shows only as gaps, silence of one source, or submitted lines that no event explains. "
    "Only someone who holds a later receipt can prove that later events exist. "
    "Time is the collector's word unless a witness cosigned."
)
"""What a verdict means and does not mean."""

UNTIMED_MEANS: Final = "could have been rewritten before upload"
"""What an event is that was received more than five minutes after it happened."""
UNTIMED: Final = f"untimed: {UNTIMED_MEANS}"
"""The label of events that were received more than five minutes after they happened."""

_MINUTE_MS: Final = 60_000

MAX_FINDINGS_OF_A_CODE: Final = 50
"""Findings of one name that are reported one by one; a last one counts the rest."""


class Effect(enum.IntEnum):
    """What a finding does to the verdict; the strongest one decides."""

    NOTE = 0
    """Worth saying, without weight."""
    INCOMPLETE = 1
    UNTRUSTED = 2
    ALTERED = 3
    UNREADABLE = 4


_VERDICTS: Final[Mapping[Effect, tuple[VerdictWord, int]]] = {
    Effect.NOTE: (VerdictWord.VERIFIED, 0),
    Effect.INCOMPLETE: (VerdictWord.INCOMPLETE, 11),
    Effect.UNTRUSTED: (VerdictWord.CONSISTENT, 13),
    Effect.ALTERED: (VerdictWord.ALTERED, 10),
    Effect.UNREADABLE: (VerdictWord.UNREADABLE, 12),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    code: str
    """A ``FindingCode``, or an error's code; see the table in docs/protocol.md."""
    text: str
    """The same for a person."""
    effect: Effect

    def __iter__(self) -> Iterator[str]:
        """Unpacks as code and text."""
        return iter((self.code, self.text))


@dataclass(frozen=True)
class Signer:
    """Who signed for the collector."""

    fingerprint: str
    """SHA-256 of the public key that signed the certificate, in hexadecimal digits."""
    trusted: bool
    """Whether a pinned key is in the succession at or before every key that signed."""


class GapKind(enum.StrEnum):
    """Why a span of the session is not, or not fully, on record; the words that ``promptster verify`` uses too."""

    PAUSED = "paused"
    CAPTURE_GAP = "capture_gap"
    RECOVERED = "capture_recovered"
    HOOK_SILENT = "capture_hook_silent"
    DEGRADED = "capture_degraded"
    CONFIG_CHANGED = "capture_config_changed"
    CLOCK_JUMP = "capture_clock_jump"
    BYPASS_SUSPECTED = "capture_bypass_suspected"
    UPSTREAM_OVERRIDDEN = "capture_upstream_overridden"
    SOURCE_LOSS = "source_loss"
    SILENCE = "silence"
    ABSENT = "absent"
    UNTIMED = "untimed"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A span in which capture did not see everything, by its own word or by its silence."""

    kind: GapKind
    seq: int
    """The event that reports it."""
    from_ms: int
    to_ms: int | None
    """``None`` while no event reports the end."""
    text: str
    source: str | None = None
    """The source that is incomplete, where the record says so."""
    to_seq: int | None = None
    """The event with which it ends, where it begins with ``seq`` and another one ends it."""


@dataclass(frozen=True)
class Span:
    """Events ``first`` to ``last``, both included."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class BatchFacts:
    """One batch of the chain, as far as it is vouched for."""

    n: int
    first: int
    count: int
    received_ms: int | None
    """When the collector stored it, by its receipt."""
    checked: bool | None
    """Whether the collector could open it, by its check."""
    proven: bool
    """Whether its events are here and lead to its root."""


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """What shows that the receipts are in the collector's log."""

    promised: bool
    """Whether the certificate promises a proof for every receipt, so that a missing one counts."""
    receipts: int
    """Receipts that the collector signed."""
    missing: tuple[Span, ...]
    """The numbers of those without a proof that holds."""
    origin: str | None = None
    """The log's name, by its checkpoint."""
    view: View | None = None
    """The checkpoint with what is proved under it, if the log is the collector's; others can be compared with it."""


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """A value that was taken away, with a record of it."""

    seq: int
    field: str
    reason: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The outcome of checking a bundle."""

    verdict: VerdictWord
    exit_code: int
    signer: Signer | None
    """``None`` when no collector key found."""
    events: int
    """Events that are here and proven."""
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    untimed: tuple[Span, ...] = ()
    """Received more than five minutes after they happened, or never: see ``UNTIMED``."""
    coverage: Mapping[str, int] = field(default_factory=dict[str, int])
    """Proven events by source."""
    shown: int = 0
    """Fields whose value is here."""
    withheld: int = 0
    """Fields whose value is not."""
    redacted: tuple[Redacted, ...] = ()
    batches: tuple[BatchFacts, ...] = ()
    log: LogFacts | None = None
    """``None`` when nothing could be looked up: an earlier stop, or a checkpoint that is none of this collector's."""
    time_vouched_by: tuple[str, ...] = ()
    """Who vouches for time: the collector, and witnesses by name."""
    opened: tuple[OpenedEvent, ...] = ()
    """The proven events in clear, in order."""
    certificate: Certificate | None = None
    consent: Consent | None = None
    policy: Policy | None = None
    close: Close | None = None
    claim: str = CLAIM

    @property
    def received_ms(self) -> dict[int, int]:
        """When each batch was received, by its number."""
        return {batch.n: batch.received_ms for batch in self.batches if batch.received_ms is not None}


class Report:
    """Collects findings while a bundle is checked."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._effects: dict[str, Effect] = {}

    def add(self, effect: Effect, code: FindingCode, text: str) -> None:
        """Note one finding."""
        self._add(effect, code.value, text)

    def refused(self, error: ProtocolError) -> None:
        """Note what cannot be read, by the error's own code."""
        self._add(Effect.UNREADABLE, error.code, str(error))

    def _add(self, effect: Effect, code: str, text: str) -> None:
        self._counts[code] += 1
        self._effects[code] = max(effect, self._effects.get(code, effect))
        if self._counts[code] <= MAX_FINDINGS_OF_A_CODE:
            self._findings.append(Finding(code, text, effect))

    def altered(self, code: FindingCode, text: str) -> None:
        """Something is not what was signed."""
        self.add(Effect.ALTERED, code, text)

    def incomplete(self, code: FindingCode, text: str) -> None:
        """Something is not here."""
        self.add(Effect.INCOMPLETE, code, text)

    def unreadable(self, code: FindingCode, text: str) -> None:
        """Something was signed and cannot be read."""
        self.add(Effect.UNREADABLE, code, text)

    def note(self, code: FindingCode, text: str) -> None:
        """Something is worth saying."""
        self.add(Effect.NOTE, code, text)

    def findings(self) -> tuple[Finding, ...]:
        """All findings, long runs of one name cut short."""
        rest = [
            Finding(code, f"and {count - MAX_FINDINGS_OF_A_CODE} more of this kind", self._effects[code])
            for code, count in self._counts.items()
            if count > MAX_FINDINGS_OF_A_CODE
        ]
        return (*self._findings, *rest)

    def verdict(self) -> tuple[VerdictWord, int]:
        """The word and the exit code."""
        return _VERDICTS[max(self._effects.values(), default=Effect.NOTE)]


def spans(numbers: list[int]) -> tuple[Span, ...]:
    """Ascending numbers as runs."""
    runs: list[Span] = []
    for number in numbers:
        if runs and runs[-1].last == number - 1:
            runs[-1] = Span(runs[-1].first, number)
        else:
            runs.append(Span(number, number))
    return tuple(runs)


def holes(numbers: Iterable[int], *, first: int = 0, end: int | None = None) -> tuple[Span, ...]:
    """The runs missing from ascending numbers that should start at ``first`` and, where ``end`` is told, end before it.

    The numbers lie within these bounds.
    """
    runs: list[Span] = []
    due = first
    for number in numbers:
        if number > due:
            runs.append(Span(due, number - 1))
        due = number + 1
    if end is not None and end > due:
        runs.append(Span(due, end - 1))
    return tuple(runs)


def joined(runs: Iterable[Span]) -> tuple[Span, ...]:
    """Runs ascending, those that overlap or touch as one."""
    result: list[Span] = []
    for run in sorted(runs, key=lambda run: run.first):
        if result and run.first <= result[-1].last + 1:
            result[-1] = Span(result[-1].first, max(result[-1].last, run.last))
        else:
            result.append(run)
    return tuple(result)


def is_within(runs: Sequence[Span], number: int) -> bool:
    """Whether a number is in one of ascending runs that do not overlap."""
    place = bisect_right(runs, number, key=lambda run: run.first)
    return place > 0 and number <= runs[place - 1].last


def lasting(ms: int) -> str:
    """A length of time for a person: ``1.5 s``, ``12 min``, ``3 h 2 min``."""
    if ms < _MINUTE_MS:
        return f"{ms / 1000:.1f} s"
    hours, minutes = divmod(ms // _MINUTE_MS, 60)
    rest = f"{minutes} min" if minutes or not hours else ""
    return f"{hours:,} h {rest}".rstrip() if hours else rest


_MOST_RUNS: Final = 10
"""Enough for a person."""


def in_words(runs: tuple[Span, ...]) -> str:
    """Runs for a person: ``3, 5 to 9``; long lists are cut short."""
    words = [str(run.first) if run.first == run.last else f"{run.first} to {run.last}" for run in runs[:_MOST_RUNS]]
    more = len(runs) - _MOST_RUNS
    return ", ".join(words) + (f" and {more} more {'range' if more == 1 else 'ranges'}" if more > 0 else "")


def numbered(runs: tuple[Span, ...]) -> str:
    """Events by their numbers: ``event 3``, or ``events 3, 5 to 9``."""
    alone = len(runs) == 1 and runs[0].first == runs[0].last
    return f"{'event' if alone else 'events'} {in_words(runs)}"
