"""Whether the text that a candidate agreed to matches the policy's settings: a note alongside the verdict.

Only Promptster's own renderings say so. They are no part of the norm, and what was agreed to is the text that is there:
the verdict does not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.errors import DocumentError, NewerVersionError
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.policy import require_own_text
from promptster.protocol.verdict import Effect, Finding

if TYPE_CHECKING:
    from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.policy import Policy

TEXT_UNKNOWN: Final = FindingCode.POLICY_TEXT_UNKNOWN
"""A text that only a newer version of Promptster can render."""
TEXT_DIFFERS: Final = FindingCode.POLICY_TEXT
"""A text that does not match the policy's settings."""
TEXTS: Final = frozenset({TEXT_DIFFERS, TEXT_UNKNOWN})
"""Notes about the text that was agreed to."""


def text_notes(policy: Policy | None) -> tuple[Finding, ...]:
    """What is to be said about a policy's text, if anything."""
    if policy is None:
        return ()
    try:
        require_own_text(policy)
    except NewerVersionError:
        said = "whether the policy text that the candidate agreed to matches the policy's settings"
        return (Finding(TEXT_UNKNOWN, f"only a newer version of Promptster can check {said}", Effect.NOTE),)
    except DocumentError:
        said = "the policy text that the candidate agreed to does not match the policy's settings"
        return (Finding(TEXT_DIFFERS, said, Effect.NOTE),)
    return ()
