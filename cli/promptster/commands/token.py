"""``promptster token``: create, list and revoke access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import Collector, Json

if TYPE_CHECKING or needed.work:
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.commands.spans import days
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.ui.output import Output

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Create, list and revoke access tokens.",
)


@app.command()
def create(
    *,
    role: Annotated[str, typer.Option(metavar="owner|recruiter|reviewer", help="What the token may do.")],
    label: Annotated[str, typer.Option(metavar="TEXT", help="Whose it is, for the list.")] = "",
    expires: Annotated[str | None, typer.Option(metavar="90d", help="When it ends; a year if not given.")] = None,
    collector: Collector = None,
    json: Json = False,
) -> None:
    """Make a token. It is shown once and kept only as a hash."""
    out = Output(json)
    document: dict[str, Any] = {"role": role, "label": label}
    if expires is not None:
        document["expires_in_days"] = days(expires)
    with team_client(Config.load(Paths.from_environment()), collector) as client, values_checked():
        made = client.create_token(document)
    out.result(made)
    if not json:
        out.say(made["token"])
        out.note(f"{made['role']}, expires {made['expires_at']}; it is not shown again. Revoke it as {made['id']}")


@app.command("list")
def list_(*, collector: Collector = None, json: Json = False) -> None:
    """List the organisation's tokens, without their secrets."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        answer = client.tokens()
    out.result(answer)
    if not json:
        for line in table(
            ("id", "role", "label", "state", "created", "expires"),
            [
                (
                    entry["id"],
                    entry.get("role"),
                    entry.get("label"),
                    "revoked" if entry.get("revoked_at") else "active" if entry.get("active", True) else "expired",
                    entry.get("created_at"),
                    entry.get("expires_at"),
                )
                for entry in answer.get("tokens", [])
            ],
            empty="no tokens",
        ):
            out.say(line)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The id that token list prints.")],
    *,
    collector: Collector = None,
    json: Json = False,
) -> None:
    """End a token at once."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        client.revoke_token(token)
    out.result({"id": token, "revoked": True})
    if not json:
        out.say(f"revoked {token}")
