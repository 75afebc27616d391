"""The workspace file that an agent inside an editor reads; our entries are added with the candidate's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.session_folder.control_messages import LaunchTicket


class HasEditorFile(Protocol):
    """Describes such a file of one agent; the catalogue gives its path in the workspace."""

    holds_token: bool
    """Whether our entries contain the session's token."""
    empty: Mapping[str, Any]
    """The content of a new file."""

    def entries(self, ticket: LaunchTicket) -> dict[str, Any]:
        """The entries that we add."""
        ...

    def refusal(self, content: Mapping[str, Any]) -> str | None:
        """Why the agent would not accept this content; ``None`` if it would."""
        ...
