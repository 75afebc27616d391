"""The workspace file that an agent inside an editor reads, merged with our entries after the candidate said yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.session_folder.control_messages import LaunchTicket


class HasEditorFile(Protocol):
    """An agent that reads such a file; the catalogue names its place in the workspace."""

    holds_token: bool
    """Whether our entries hold the session's token."""
    empty: Mapping[str, Any]
    """What a file that says nothing yet holds."""

    def entries(self, ticket: LaunchTicket) -> dict[str, Any]:
        """Our entries."""
        ...

    def refusal(self, content: Mapping[str, Any]) -> str | None:
        """Why the agent would not accept this content; ``None`` if it would."""
        ...
