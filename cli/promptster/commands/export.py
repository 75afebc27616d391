"""``promptster export``: save a session as a signed bundle, a web page or JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands.export_name import file_name
from promptster.commands.options import Collector, Json
from promptster.commands.source import SourceArgument, find_source, read_bundle_of
from promptster.config import Config, PinnedKeys, write_private
from promptster.errors import PromptsterError, UsageError
from promptster.paths import Paths
from promptster.replay import exporters
from promptster.replay.errors import ExportError
from promptster.replay.session import from_bundle
from promptster.replay.wording import counted
from promptster.ui.output import Output, write_bytes

if TYPE_CHECKING:
    from promptster.replay.exporters.interface import Exporter
    from promptster.replay.session import Replay

_STDOUT = "-"


def command(
    source: SourceArgument,
    *,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(exporters.names()), help="What to make of it.")
    ] = "bundle",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; - is standard output; else named by day and title."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    collector: Collector = None,
    json: Json = False,
) -> None:
    """Save a session: the bundle that anyone can verify, a page that anyone can open, or lines for a program.

    A page and lines are made on this computer, from a bundle that is verified first.
    """
    out = Output(json)
    exporter = _exporter(format_)
    if output == _STDOUT and json:
        raise UsageError("-o - and --json both want standard output", hint="Leave one of them out.")
    found = find_source(source)
    if output not in {None, _STDOUT}:
        _check_target(Path(output or "").expanduser(), force=force)
    config = Config.load(Paths.from_environment())
    data = read_bundle_of(found, config, collector)
    replay = from_bundle(data, PinnedKeys(config.paths).fingerprints())
    target = Path(output or file_name(replay, exporter.suffix, given=found.file)).expanduser()
    if output is None:
        _check_target(target, force=force)
    written = _write(exporter, replay, None if output == _STDOUT else target)
    verdict = replay.verification.verdict if replay.verification else ""
    out.result(
        {
            "file": str(target.absolute()),
            "format": exporter.name,
            "bytes": written,
            "session": replay.facts.session,
            "verdict": verdict,
        }
    )
    if output == _STDOUT:
        return
    if not json:
        out.say(f"wrote {target} ({counted(written, 'byte')}); only you can read it, and it is not encrypted")
        out.say(f"verdict: {verdict}")


def _exporter(name: str) -> Exporter:
    try:
        return exporters.find(name)
    except ExportError as error:
        raise UsageError(error.message, hint=error.hint, code=error.code) from error


def _check_target(target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint="Name a file with -o.")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="Create it first.")
    if (target.exists() or target.is_symlink()) and not force:
        raise UsageError(f"{target} already exists", hint="Add --force to replace it.", code="file_exists")


def _write(exporter: Exporter, replay: Replay, target: Path | None) -> int:
    if target is None:
        return write_bytes(exporter.export(replay))
    data = b"".join(exporter.export(replay))
    try:
        write_private(target, data)
    except OSError as error:
        raise PromptsterError(f"cannot write {target}: {error.strerror}", code="file") from error
    return len(data)
