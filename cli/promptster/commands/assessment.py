"""``promptster assessment``: create and list assessments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector
from promptster.protocol.agents import IDS, one_of

if TYPE_CHECKING or needed.work:
    from promptster.commands.invite import quoted
    from promptster.commands.short_ids import shortened
    from promptster.commands.signed_in import team_client, values_checked
    from promptster.commands.spans import days, minutes
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.errors import UsageError
    from promptster.network import names_host
    from promptster.paths import Paths
    from promptster.session.workspace.preparing import is_clonable
    from promptster.system.git import git_text
    from promptster.times import counted_days, length
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output
    from promptster.ui.wrapping import cells, columns

if TYPE_CHECKING:
    from promptster.client import CollectorClient

_OF_NETWORK = frozenset({"http", "https", "ssh"})

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help="Create and list assessments."
)


@app.command()
def create(
    *,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title that candidates see.")],
    repo: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL", help="Repository to clone for the task; without it, candidates use their own folder."
        ),
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(metavar="90m", help="Time limit for the recording; none by default.")
    ] = None,
    retention: Annotated[
        str | None, typer.Option(metavar="30d", help="How long sessions are kept; 30 days by default, 180 at most.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(IDS), help="Allow only this agent; all by default. Can be repeated."),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Contact for candidates; your organisation by default."),
    ] = None,
    alternative: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help='What you offer candidates who refuse, such as "a pairing session".'),
    ] = None,
    legal_basis: Annotated[
        str | None, typer.Option(metavar="TEXT", help='Legal basis of the recording; "your consent" by default.')
    ] = None,
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> None:
    """Create an assessment. Candidates agree to exactly these terms, so they cannot be changed later.

    Example: promptster assessment create --title Limiter --time-limit 90m
    """
    out = Output(json)
    document: dict[str, Any] = {"title": title}
    if repo is not None:
        document["repository"] = _repository(repo)
    if time_limit is not None:
        document["time_limit_minutes"] = minutes(time_limit)
    if retention is not None:
        document["retention_days"] = days(retention)
    stated = {"agents": _agents(agent), "contact": contact, "alternative": alternative, "legal_basis": legal_basis}
    document |= {name: value for name, value in stated.items() if value is not None}
    told = {name.replace("_", "-"): value for name, value in stated.items() if isinstance(value, str)}
    with team_client(Config.load(Paths.from_environment()), collector) as client, values_checked(title=title, **told):
        made = client.create_assessment(document)
        alike = 0 if json else sum(entry.get("title") == made.get("title") for entry in _all(client))
    out.result(_with_own_name(made))
    if stated.keys() & document.keys() and "policy_version" not in made:
        out.note("warning: the collector is older than this program and ignored some of your policy settings")
        out.note("Update the collector, then create the assessment again.")
    if not json:
        limit = made.get("time_limit_minutes")
        terms = f"{length(limit) if limit else 'no time limit'}, kept for {counted_days(made['retention_days'])}"
        out.say(f'Created "{escape_line(made["title"])}": {terms}.')
        step = _next(made["title"])
        if alike != 1 or made["title"].startswith("-") or cells(step) > columns():
            step = _next(made["id"])
        out.say(step)


def _agents(words: list[str] | None) -> list[str] | None:
    for word in words or ():
        if word not in IDS:
            raise UsageError(f"--agent takes {one_of(IDS)}, not {word!r}")
    return words or None


def _next(named: str) -> str:
    return f"Next: promptster invite {quoted(named)} --name NAME --email ADDRESS"


@app.command("list")
def list_(*, collector: TeamCollector = None, json: JsonOption = False) -> None:
    """List your organisation's assessments."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        entries = _all(client)
    out.result({"assessments": [_with_own_name(entry) for entry in entries]})
    if json:
        return
    shown = shortened([str(entry["id"]) for entry in entries])
    rows = [
        (
            entry["title"],
            shown[str(entry["id"])],
            length(entry["time_limit_minutes"]) if entry.get("time_limit_minutes") else "no limit",
            counted_days(entry["retention_days"]) if entry.get("retention_days") else "",
            entry.get("repository") or "",
        )
        for entry in entries
    ]
    empty = "No assessments yet. To create one: promptster assessment create --title TEXT"
    for line in table(("Assessment", "Id", "Time", "Kept", "Repository"), rows, empty=empty):
        out.say(line)


def _all(client: CollectorClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = client.assessments().get("assessments", [])
    return entries


def _with_own_name(entry: dict[str, Any]) -> dict[str, Any]:
    """The assessment with its id also under the name that sessions use."""
    return {**entry, "assessment": entry["id"]}


def _repository(text: str) -> str:
    """The absolute path of a folder on this computer; any other address unchanged.

    Addresses that no candidate could clone are refused here. Whether the address responds is not checked.

    Raises:
        UsageError: it is neither a git repository on this computer nor an address that can be cloned.
    """
    path = Path(text).expanduser()
    if not text.strip():
        raise UsageError("--repo is empty", hint="Pass a git repository, or omit --repo.")
    if path.is_dir():
        if git_text(["rev-parse", "--show-cdup"], cwd=path) != "":  # empty at the top of one only
            raise UsageError(
                f"{path.absolute()} is not a git repository", hint="Run `git init` and commit there first."
            )
        return str(path.absolute())
    if not is_clonable(text) or not _is_whole(text):
        raise UsageError(
            f"candidates cannot clone {text}",
            hint="Use https or ssh, or a folder on this computer.",
        )
    if text.startswith("/"):
        raise UsageError(f"there is no folder {text}", hint="Pass the path of a git repository.")
    return text


def _is_whole(address: str) -> bool:
    """Whether a network address names a host; git's short form and local addresses need none."""
    return address.partition(":")[0].lower() not in _OF_NETWORK or names_host(address)
