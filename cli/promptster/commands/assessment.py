"""``promptster assessment``: create and list assessments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import Collector, Json

if TYPE_CHECKING or needed.work:
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.commands.spans import days, minutes
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.errors import UsageError
    from promptster.paths import Paths
    from promptster.session.git import git_text
    from promptster.session.workspace import is_clonable
    from promptster.ui.output import Output

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help="Create and list assessments."
)


@app.command()
def create(
    *,
    title: Annotated[str, typer.Option(metavar="TEXT", help="What candidates see.")],
    repo: Annotated[
        str | None,
        typer.Option(metavar="PATH_OR_URL", help="Cloned into the candidate's workspace; none: their folder."),
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(metavar="90m", help="How long may be recorded; no limit if not given.")
    ] = None,
    retention: Annotated[
        str | None, typer.Option(metavar="30d", help="Days that sessions are kept: 30 if not given, 180 at most.")
    ] = None,
    collector: Collector = None,
    json: Json = False,
) -> None:
    """Set up an assessment. Its policy is fixed with it: candidates agree to exactly these terms."""
    out = Output(json)
    document: dict[str, Any] = {"title": title}
    if repo is not None:
        document["repository"] = _repository(repo)
    if time_limit is not None:
        document["time_limit_minutes"] = minutes(time_limit)
    if retention is not None:
        document["retention_days"] = days(retention)
    with team_client(Config.load(Paths.from_environment()), collector) as client, values_checked():
        made = client.create_assessment(document)
    out.result(made)
    if not json:
        out.say(f"created {made['id']}")
        out.say(f"to invite someone: promptster invite {made['id']} --name NAME --email EMAIL")


@app.command("list")
def list_(*, collector: Collector = None, json: Json = False) -> None:
    """List the organisation's assessments."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        answer = client.assessments()
    out.result(answer)
    if not json:
        for line in table(
            ("id", "title", "time limit", "kept", "repository"),
            [
                (
                    entry["id"],
                    entry["title"],
                    f"{entry['time_limit_minutes']} min" if entry.get("time_limit_minutes") else "none",
                    f"{entry.get('retention_days', '')} days",
                    entry.get("repository") or "",
                )
                for entry in answer.get("assessments", [])
            ],
            empty="no assessments yet; promptster assessment create makes one",
        ):
            out.say(line)


def _repository(text: str) -> str:
    """A folder of this machine by its whole path, anything else as it was given.

    What every candidate's start would fail on is refused here; whether an address answers is not looked at.

    Raises:
        UsageError: it is no git repository of this machine, and no address that a start would clone.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        if git_text(["rev-parse", "--show-cdup"], cwd=path) != "":  # empty at the top of one only
            raise UsageError(f"{path.absolute()} is no git repository", hint="run git init and commit there first")
        return str(path.absolute())
    if not is_clonable(text):
        raise UsageError(
            f"candidates could not clone {text!r}",
            hint="pass a folder of this machine, or an address with https or ssh",
        )
    if text.startswith("/"):
        raise UsageError(f"there is no folder {text}", hint="pass the folder of a git repository")
    return text
