"""The events that a recorder writes when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import Certified, paths_below

from promptster.errors import SessionError
from promptster.journal.journal import Recovery
from promptster.protocol.events.kinds import CaptureUpstreamOverridden, Consented, Opened
from promptster.recorder.journal_repair import Repair
from promptster.recorder.start_events import losses, opening
from promptster.session_folder.choices import Choices, PathCheck

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = Recovery(torn_bytes=0, refused_files=0)


def test_an_opening_tells_consent_choices_and_other_addresses(tmp_path: Path) -> None:
    """Each is recorded once, in this order; what the path check found is separate from what was chosen."""
    certified = Certified(
        upstreams={"anthropic": "http://127.0.0.1:1", "openai": "https://api.openai.com/v1"}, overrides=("anthropic",)
    )
    folder = certified.folder(paths_below(tmp_path))
    folder.update(choices=Choices(ide=("claude",), path_check={"openai": PathCheck(ok=True, status=401, reason="")}))
    consent, opened, overridden = opening(folder, consented=False)
    assert isinstance(consent.event, Consented)
    assert (consent.src, consent.event.locale) == ("candidate", "en")
    assert isinstance(opened.event, Opened)
    assert (opened.src, opened.event.choices) == ("recorder", {"ide": "claude"})
    assert opened.event.path_check == {"openai": {"ok": True, "status": 401, "reason": ""}}
    assert opened.event.continues is None
    assert overridden.event == CaptureUpstreamOverridden(upstream="anthropic", url="http://127.0.0.1:1")


def test_a_consent_that_stands_already_is_not_told_twice(tmp_path: Path) -> None:
    """A first start that was cut off after the consent continues from there."""
    folder = Certified().folder(paths_below(tmp_path))
    assert [entry.event.kind for entry in opening(folder, consented=True)] == ["opened"]


def test_an_opening_needs_the_documents(tmp_path: Path) -> None:
    """Without the documents no event is invented."""
    folder = Certified().folder(paths_below(tmp_path))
    (folder.documents / "consent.json").unlink()
    with pytest.raises(SessionError):
        list(opening(folder, consented=False))


@pytest.mark.parametrize(
    ("clean_end", "found", "repair", "words"),
    [
        (True, CLEAN, Repair(), []),
        (False, CLEAN, Repair(), ["ended unexpectedly"]),
        (True, Recovery(torn_bytes=7, refused_files=1), Repair(), ["(7 bytes, 1 file)"]),
        (True, CLEAN, Repair(filled=3), ["3 events restored"]),
        (False, CLEAN, Repair(moved=2, skipped=5), ["ended unexpectedly", "5 events found only at the collector"]),
    ],
)
def test_every_loss_is_told(*, clean_end: bool, found: Recovery, repair: Repair, words: list[str]) -> None:
    """Nothing is reported if nothing was lost."""
    told = losses(clean_end=clean_end, found=found, repair=repair)
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))
