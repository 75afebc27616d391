"""What verdicts are called, which scripts compare."""

from __future__ import annotations

import json

from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.verdict import Report
from promptster.protocol.verdict_words import VerdictWord


def test_the_words_stay() -> None:
    """Scripts compare them: in JSON and in a message each is its plain word."""
    words = ["verified", "consistent", "incomplete", "altered", "unreadable"]
    assert [word.value for word in VerdictWord] == words
    assert json.loads(json.dumps(list(VerdictWord))) == words
    assert [f"{word}" for word in VerdictWord] == words


def test_the_gravest_finding_gives_the_word() -> None:
    """Each word has its exit code."""
    report = Report()
    assert report.verdict() == (VerdictWord.VERIFIED, 0)
    report.incomplete(FindingCode.GAP, "missing")
    assert report.verdict() == (VerdictWord.INCOMPLETE, 11)
    report.altered(FindingCode.ROOT, "changed")
    assert report.verdict() == (VerdictWord.ALTERED, 10)
    report.unreadable(FindingCode.KEYS_MALFORMED, "not read")
    assert report.verdict() == (VerdictWord.UNREADABLE, 12)
    report.note(FindingCode.LATE, "worth saying")
    assert report.verdict() == (VerdictWord.UNREADABLE, 12)


def test_every_signed_document_has_codes_of_its_own() -> None:
    """Whatever document is damaged, its finding has a name; the names are made from the document's type."""
    signed = ("certificate", "receipt", "check", "close", "redaction", "tombstone", "consent", "checkpoint", "header")
    for what in signed:
        assert {FindingCode(f"{what}_malformed"), FindingCode(f"{what}_signature")} <= set(FindingCode)
