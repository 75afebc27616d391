"""``promptster token``: create, list and revoke access tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector

if TYPE_CHECKING or needed.work:
    from promptster import times
    from promptster.commands.cells import asked, now, when
    from promptster.commands.short_ids import SHORTEST, shortened, the_one
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.commands.spans import days
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.errors import CollectorError, UsageError
    from promptster.paths import Paths
    from promptster.times import milliseconds
    from promptster.ui.output import Output

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Create, list and revoke access tokens.",
)


_ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@app.command()
def create(
    *,
    role: Annotated[str, typer.Option(metavar="owner|recruiter|reviewer", help="Role of whoever uses the token.")],
    label: Annotated[str, typer.Option(metavar="TEXT", help="Note for the list of tokens, such as who uses it.")] = "",
    expires: Annotated[str | None, typer.Option(metavar="90d", help="How long it is valid; a year by default.")] = None,
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> None:
    """Create a token. It is shown only once; the collector keeps only a hash of it."""
    out = Output(json)
    document: dict[str, Any] = {"role": role, "label": label}
    if expires is not None:
        document["expires_in_days"] = days(expires)
    asked_ms = asked()
    config = Config.load(Paths.from_environment())
    with team_client(config, collector) as client, values_checked(role=role, label=label):
        made = client.create_token(document)
    out.result(made)
    if not json:
        out.say(made["token"])
        ends_ms = milliseconds(made.get("expires_at"))
        until = "does not expire" if ends_ms is None else f"is valid {times.until(ends_ms, asked_ms)}"
        out.note(f"This {made['role']}'s token {until}.")
        out.note(f"It is shown only once. To revoke it: promptster token revoke {made['id']}")


@app.command("list")
def list_(*, collector: TeamCollector = None, json: JsonOption = False) -> None:
    """List your organisation's tokens, without their secrets."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        answer = client.tokens()
    out.result(answer)
    if json:
        return
    entries: list[dict[str, Any]] = answer.get("tokens", [])
    shown, now_ms = shortened([str(entry["id"]) for entry in entries]), now()
    rows = [
        (
            shown[str(entry["id"])],
            entry.get("label"),
            entry.get("role"),
            "revoked" if entry.get("revoked_at") else "active" if entry.get("active", True) else "expired",
            when(entry.get("created_at"), now_ms),
            when(entry.get("expires_at"), now_ms, missing="never"),
        )
        for entry in entries
    ]
    for line in table(("Token", "Label", "Role", "State", "Created", "Expires"), rows, empty="No tokens."):
        out.say(line)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Token id, or its first characters.")],
    *,
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> None:
    """Revoke a token. It stops working at once."""
    out = Output(json)
    if len(token) < SHORTEST or not _ID.fullmatch(token):
        hint = f"It has at least {SHORTEST} letters and digits. To see them: promptster token list"
        raise UsageError(f"not a token id: {token}", hint=hint)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        named = the_one(token, [str(entry["id"]) for entry in client.tokens().get("tokens", [])], what="token")
        if named is None:
            raise CollectorError(
                f"no token with the id {token}", hint="To see them: promptster token list", code="unknown_token"
            )
        client.revoke_token(named)
    out.result({"id": named, "revoked": True})
    if not json:
        out.say(f"Revoked {named}. It no longer works.")
