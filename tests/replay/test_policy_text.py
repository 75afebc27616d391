"""A text that differs from its policy's settings is reported to everyone who checks or reads the session."""

from __future__ import annotations

import pytest
from tests.vectors.world import World, second_policy, small_policy

from promptster.commands.verify import document
from promptster.protocol.bundle import write_bundle
from promptster.protocol.policy import NEWEST_TEXT, Policy
from promptster.protocol.verdict import Verification
from promptster.protocol.verification import verify_bundle
from promptster.replay.exporters import find
from promptster.replay.loading import from_verification
from promptster.ui.checked import checked

DIFFERS = "the policy text that the candidate agreed to does not match the policy's settings"
UNKNOWN = (
    "only a newer version of Promptster can check whether the policy text that the candidate agreed to matches the "
    "policy's settings"
)


def _verified(policy: Policy) -> Verification:
    world = World(policy=policy, log=1)
    return verify_bundle(write_bundle(world.parts()), trusted=world.trusted)


@pytest.mark.parametrize(
    ("policy", "code", "text"),
    [
        (small_policy(), "policy_text", DIFFERS),
        (second_policy(text="Nothing is recorded.\n"), "policy_text", DIFFERS),
        (second_policy(retention_days=180), "policy_text", DIFFERS),
        (second_policy(text_version=NEWEST_TEXT + 1), "policy_text_unknown", UNKNOWN),
        (second_policy(at_limit="submit"), "policy_text_unknown", UNKNOWN),
    ],
)
def test_a_text_that_is_not_that_of_its_settings_is_told_beside_the_verdict(
    policy: Policy, code: str, text: str
) -> None:
    """The terminal, the document and the page have a note: what was agreed to is the text as it is."""
    verification = _verified(policy)
    assert (verification.verdict, verification.exit_code) == ("verified", 0)
    assert {"code": code, "text": text, "effect": "note"} in document(verification)["findings"]
    assert text in " ".join(" ".join(checked(verification)).split())
    page = b"".join(find("html").export(from_verification(verification))).decode()
    assert f"<code>{code}</code>" in page


def test_a_text_of_its_settings_needs_no_word() -> None:
    """There is no note if text and settings agree."""
    verification = _verified(second_policy())
    assert not [finding for finding in document(verification)["findings"] if finding["code"].startswith("policy_text")]
    assert "policy_text" not in "\n".join(checked(verification))
