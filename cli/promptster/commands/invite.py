"""``promptster invite``: invite someone to an assessment."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector

if TYPE_CHECKING or needed.work:
    from promptster import times
    from promptster.commands.cells import asked
    from promptster.commands.short_ids import assessment_named
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.times import milliseconds
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output

_PLAIN = re.compile(r"[A-Za-z0-9_.,:@/+][A-Za-z0-9_.,:@/+-]*")
_NOT_IN_QUOTES = re.compile(r"[\"$`\\!]|^-")


def command(
    assessment: Annotated[str, typer.Argument(metavar="ASSESSMENT", help="Title or id of the assessment.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="Candidate's name; stored encrypted.")],
    email: Annotated[str, typer.Option(metavar="ADDRESS", help="Candidate's e-mail address; stored encrypted.")],
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> None:
    """Invite one person. The link is shown only once; it works once, for 72 hours.

    Example: promptster invite "Rate limiter" --name Ada --email ada@example.com
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    with team_client(config, collector) as client, values_checked(name=name, email=email):
        found = assessment_named(client, assessment)
        asked_ms = asked()
        made = client.create_invite(str(found["id"]), {"name": name, "email": email})
    out.result(made)
    if json:
        return
    expires = milliseconds(made.get("expires_at"))
    valid = "" if expires is None else f", {times.until(expires, asked_ms)}"
    out.say(f"Invited {escape_line(name.strip())}. The link works once{valid}.")
    out.say()
    out.say(made["link"])
    out.say()
    out.say("Send it yourself: no mail server is set up. It is shown only once.")
    out.say("If it is lost, run the same command for a new one.")


def quoted(text: str) -> str:
    """A word as typed into a shell, in double quotes if they are enough."""
    if text.isprintable() and not _NOT_IN_QUOTES.search(text):
        return text if _PLAIN.fullmatch(text) else f'"{text}"'
    return shlex.quote(text)
