"""``promptster restore``: put back files that an interrupted session changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.errors import NotPrivateError, SessionError
    from promptster.paths import Paths
    from promptster.session.current import Current
    from promptster.session_folder.touched_files import describe
    from promptster.ui.output import Output


def command(*, json: JsonOption = False) -> None:
    """Put back every file that was changed for the session, byte for byte. It is safe to run this twice."""
    out = Output(json)
    current = Current.find(Paths.from_environment())
    pending = current is not None and any(current.folder.touched.glob("*"))
    if current is None or not pending:
        out.result({"restored": []})
        if not json:
            out.say("Nothing to put back.")
        return
    if not current.facts.state.ended and _records(current):
        raise SessionError(
            "the session is running and needs these files",
            hint="`promptster submit`, `promptster stop` and `promptster withdraw` put them back.",
            code="session_active",
        )
    restored = current.touched.restore()
    out.result({"restored": [{"path": str(entry.path), "outcome": entry.outcome.value} for entry in restored]})
    if not json:
        for line in describe(restored):
            out.say(line)


def _records(current: Current) -> bool:
    """Whether a recorder is running; if its socket belongs to someone else, its lock decides."""
    try:
        return current.recorder_status() is not None
    except NotPrivateError:
        return not current.control.is_released()
