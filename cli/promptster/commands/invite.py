"""``promptster invite``: invite someone to an assessment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Collector, Json

if TYPE_CHECKING or needed.work:
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.ui.output import Output


def command(
    assessment: Annotated[str, typer.Argument(metavar="ASSESSMENT", help="The id that assessment create printed.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="The person's name; encrypted at the collector.")],
    email: Annotated[str, typer.Option(metavar="EMAIL", help="Their address; encrypted at the collector.")],
    collector: Collector = None,
    json: Json = False,
) -> None:
    """Invite one person. The link is shown once; it works for one person, once, and for 72 hours."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client, values_checked():
        made = client.create_invite(assessment, {"name": name, "email": email})
    out.result(made)
    if not json:
        out.say(f"link     {made['link']}")
        out.say(f"code     {made['code']}")
        out.say(f"expires  {made['expires_at']}")
        out.say("Send either one to them yourself. It is not shown again, and whoever has it can use it once.")
