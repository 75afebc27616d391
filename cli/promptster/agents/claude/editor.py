"""``.claude/settings.local.json``, which Claude Code reads inside an editor."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from promptster.agents.claude import hook_events
from promptster.agents.claude.launch import recorder_settings
from promptster.agents.editor import HasEditorFile
from promptster.agents.hook_command import hook_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.session_folder.control_messages import LaunchTicket


class ClaudeFile(HasEditorFile):
    """``.claude/settings.local.json``. While no recorder runs, our hook stops each prompt with a message."""

    holds_token = True
    empty: Mapping[str, Any] = {}

    @override
    def entries(self, ticket: LaunchTicket) -> dict[str, Any]:
        settings = recorder_settings(ticket, excluded=os.environ)
        script = str(Path(hook_command()[-1]).with_name("alive.py"))
        command = shlex.join((*hook_command()[:-1], script, ticket.hook_socket))
        asks = {"type": "command", "command": command, "timeout": hook_events.TIMEOUT_S}
        settings["hooks"]["UserPromptSubmit"] = [*settings["hooks"]["UserPromptSubmit"], {"hooks": [asks]}]
        return settings

    @override
    def refusal(self, content: Mapping[str, Any]) -> str | None:
        for name in ("env", "hooks"):
            if not isinstance(content.get(name, {}), dict):
                return f"{name} is not an object"
        for event, groups in cast("dict[str, Any]", content.get("hooks", {})).items():
            if not isinstance(groups, list):
                return f"hooks.{event} is not a list"
            items = cast("Sequence[Any]", groups)
            for group in items:
                if not isinstance(group, dict) or not isinstance(cast("dict[str, Any]", group).get("hooks"), list):
                    return f"an entry of hooks.{event} has no hooks"
        return None
