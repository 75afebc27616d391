"""``promptster export``: save a session as a signed bundle, a web page or JSON lines."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector
from promptster.commands.source import SourceArgument
from promptster.protocol.verdict_words import VerdictWord
from promptster.replay import exporters

if TYPE_CHECKING or needed.work:
    from promptster.commands.export_name import file_name
    from promptster.commands.log_watch import watch_log
    from promptster.commands.signed_in import team_url
    from promptster.commands.source import find_source, read_file, read_replay, require_readable
    from promptster.commands.summary import size
    from promptster.config import Config, PinnedKeys
    from promptster.durable import write_private
    from promptster.errors import PromptsterError, UsageError, reason_of
    from promptster.paths import Paths
    from promptster.protocol.verification import verify_bundle
    from promptster.replay.errors import ExportError
    from promptster.replay.verdict_text import findings, log
    from promptster.session.leaving.copy_completion import StillIncompleteError, complete, find_own, may_be_completed
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.exporters.interface import Exporter
    from promptster.replay.loading import Replay
    from promptster.session.leaving.copy_completion import Completed

_STDOUT = "-"


def command(
    source: SourceArgument,
    *,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(exporters.names()), help="Output format.")
    ] = "bundle",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file; - for standard output. By default named by day, title and session.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> int:
    """Save a session as a bundle that anyone can verify, a page that anyone can open, or lines for a program.

    Pages and lines are made on this computer, from a bundle that is verified first. With only the file of your own copy
    as argument, this adds what the collector has signed since then, such as log proofs.

    Example: promptster export tB-GrFiX --format html -o replay.html
    """
    out = Output(json)
    exporter = _exporter(format_)
    if output == _STDOUT and json:
        raise UsageError("-o - and --json both write to standard output", hint="Use only one of them.")
    found = find_source(source)
    config = Config.load(Paths.from_environment())
    if exporter.name == "bundle" and output is None and found.file is not None and found.file.is_file():
        exit_code = _complete(found.file, config, out)
        if exit_code is not None:
            return exit_code
    if output not in {None, _STDOUT}:
        _check_target(Path(output or "").expanduser(), force=force)
    replay = read_replay(found, config, collector)
    _require_something(replay, exporter, source)
    target = Path(output or file_name(replay, exporter.suffix, given=found.file)).expanduser()
    if output is None:
        _check_target(target, force=force)
    written = _write(exporter, replay, None if output == _STDOUT else target, force=force)
    verdict = replay.verification.verdict if replay.verification else ""
    exit_code, log_warnings = 0, list[dict[str, Any]]()
    if found.file is None and replay.verification is not None:
        exit_code, log_warnings = watch_log(out, config, team_url(config, collector), seen=[replay.verification])
    out.result(
        {
            "file": str(target.absolute()),
            "format": exporter.name,
            "bytes": written,
            "session": replay.facts.session,
            "verdict": verdict,
            "log_warnings": log_warnings,
        }
    )
    if output != _STDOUT and not json:
        out.say(f"Saved as {target} ({size(written)}). Only you can read it. It is not encrypted.")
        out.say(f"Verdict: {verdict}.")
    return exit_code


def _require_something(replay: Replay, exporter: Exporter, source: str) -> None:
    """Refuse to write no lines: an empty file would look like a session in which nothing happened.

    Raises:
        PromptsterError: no event of the bundle could be verified.
    """
    if exporter.name == "jsonl" and replay.verification is not None and not replay.timeline.entries:
        raise PromptsterError(
            f"{source} is {replay.verification.verdict}: no event could be verified, so there is nothing to write",
            hint="To see why: promptster verify FILE",
            code="nothing_proved",
        )


def _complete(file: Path, config: Config, out: Output) -> int | None:
    """Complete the candidate's own copy in place; ``None`` for a file that is copied like any other."""
    data = read_file(file)
    verification = verify_bundle(data, trusted=PinnedKeys(config.paths).fingerprints())
    require_readable(str(file), data, verification)
    own = find_own(config.paths, verification)
    if own is None:
        if may_be_completed(verification) and Path(file.name).resolve() == file.resolve():
            raise UsageError(
                f"{file} is incomplete, and it is not your own copy of a session on this computer",
                hint="Only whoever made it can complete it. To copy it as it is, choose a file with -o.",
                code="not_own_copy",
            )
        return None
    try:
        done = complete(own, file, data, config)
    except StillIncompleteError:
        watch_log(out, config, own.facts.collector_url)
        raise
    verdict = done.verification.verdict
    split, log_warnings = 0, list[dict[str, Any]]()
    if done.changed:
        split, log_warnings = watch_log(out, config, own.facts.collector_url, seen=[done.verification])
    out.result(
        {
            "file": str(file.absolute()),
            "format": "bundle",
            "bytes": done.size,
            "session": own.facts.session,
            "verdict": verdict,
            "completed": done.changed,
            "log_warnings": log_warnings,
        }
    )
    if not out.json:
        for line in _completed(file, done):
            out.say(line)
    return split or done.verification.exit_code


def _completed(file: Path, done: Completed) -> Iterator[str]:
    if not done.changed:
        yield f"{file} is complete: nothing is missing."
        yield "To copy it, choose a file with -o."
        return
    logged = log(done.verification)
    if done.verification.verdict is VerdictWord.VERIFIED:
        yield f"Completed {file}{f': {logged}' if logged else ''}."
        yield f"Check it: promptster verify {shlex.quote(str(file))}"
        return
    yield f"Added what the collector has signed since then. Still missing in {file}:"
    for finding in findings(done.verification):
        yield f"  {finding.code}: {escape_line(finding.text)}"
    yield f"Try again later: promptster export {shlex.quote(str(file))}"


def _exporter(name: str) -> Exporter:
    try:
        return exporters.find(name)
    except ExportError as error:
        raise UsageError(error.message, hint=error.hint, code=error.code) from error


def _check_target(target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint="Choose a file with -o.")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="Create it first.")
    if target.exists() and not target.is_file():  # a device or a pipe would be replaced for everyone
        raise UsageError(f"{target} is not a file", hint="Choose a file with -o, or use - for standard output.")
    if (target.exists() or target.is_symlink()) and not force:
        raise _taken(target)


def _taken(target: Path) -> UsageError:
    return UsageError(f"{target} already exists", hint="Add --force to replace it.", code="file_exists")


def _write(exporter: Exporter, replay: Replay, target: Path | None, *, force: bool) -> int:
    if target is None:
        return write_bytes(exporter.export(replay))
    data = b"".join(exporter.export(replay))
    try:
        write_private(target, data, new=not force)
    except FileExistsError as error:  # created while the session was fetched
        raise _taken(target) from error
    except OSError as error:
        raise PromptsterError(
            f"cannot write {target}: {reason_of(error)}", hint="Choose another file with -o.", code="file"
        ) from error
    return len(data)
