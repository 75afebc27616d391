"""What verdicts are called, which scripts compare."""

from __future__ import annotations

import json

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
    report.incomplete("a", "missing")
    assert report.verdict() == (VerdictWord.INCOMPLETE, 11)
    report.altered("b", "changed")
    assert report.verdict() == (VerdictWord.ALTERED, 10)
    report.unreadable("c", "not read")
    assert report.verdict() == (VerdictWord.UNREADABLE, 12)
    report.note("d", "worth saying")
    assert report.verdict() == (VerdictWord.UNREADABLE, 12)
