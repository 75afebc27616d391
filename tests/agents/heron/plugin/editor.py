"""``.heron/hooks.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from promptster.agents.editor import HasEditorFile
from promptster.agents.heron.hook_events import EVENTS
from promptster.agents.hook_command import hook_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.session_folder.control_messages import LaunchTicket


class HeronFile(HasEditorFile):
    """``.heron/hooks.json``."""

    holds_token = False
    empty: Mapping[str, Any] = {"on": []}

    @override
    def entries(self, ticket: LaunchTicket) -> dict[str, Any]:
        argv = [*hook_command(), "heron", ticket.hook_socket, ticket.spool]
        return {"on": [{"event": event, "run": argv} for event in EVENTS]}

    @override
    def refusal(self, content: Mapping[str, Any]) -> str | None:
        return None if isinstance(content.get("on"), list) else "on is not a list"
