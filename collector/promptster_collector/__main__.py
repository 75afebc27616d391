"""``promptster-collector``: the command line of a collector's operator.

The exit codes are listed in docs/cli.md.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import TYPE_CHECKING

from promptster.errors import InterruptError, PromptsterError, UsageError, require_supported_platform
from promptster.parser import asks_for_help, make_app, run
from promptster.streams import OutputError, let_every_letter_through, open_standard_streams, silence_stdout, writing
from promptster_collector.commands import backup, completion, init, keys, restore, serve, storage_map
from promptster_collector.commands.output import failure, say
from promptster_collector.errors import database_refused, file_refused

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = "promptster-collector"
_HELP = frozenset({"--help", "-h", "help"})
_COMPLETE = "__complete"
"""What the completion scripts call."""

app = make_app("Receives, checks, seals and serves recorded sessions.")
app.command("init", short_help="create a data folder for one organisation")(init.command)
app.command("serve", short_help="serve a data folder")(serve.command)
app.command("backup", short_help="back up the data and, separately, the keys")(backup.command)
app.command("restore", short_help="restore a backup; what was deleted stays deleted")(restore.command)
app.command("keys", short_help="write the public keys, for promptster verify")(keys.command)
app.command("storage-map", short_help="show what is stored where, and for how long")(storage_map.command)
app.command("completion", short_help="print a script that completes commands")(completion.command)


def _run(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - only this line needs it

        say(f"{_PROGRAM} {version('promptster')}")
        return 0
    if words[:1] == [_COMPLETE]:
        say(completion.answer(app, words[1:]))
        return 0
    if words[:1] == ["--json"]:
        raise UsageError("no command given", hint="Put --json after the command.")
    if not words or words[0] in _HELP:
        words = [*words[1:], "--help"]
    try:
        with writing() if asks_for_help(words) else contextlib.nullcontext():
            return run(app, words, _PROGRAM)
    except PromptsterError:
        raise
    except OSError as error:
        raise file_refused(error) from error
    except Exception as error:
        if (refused := database_refused(error)) is not None:
            raise refused from error
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_standard_streams()
    let_every_letter_through()
    try:
        require_supported_platform(_PROGRAM)
        return _run(words)
    except PromptsterError as error:
        told = error
    except KeyboardInterrupt:
        told = InterruptError()
    except ModuleNotFoundError as error:
        told = _not_installed(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence; a traceback may show what was stored
        told = _internal(error)
    return _fail(told, as_json="--json" in words)


def _fail(error: PromptsterError, *, as_json: bool) -> int:
    try:
        if isinstance(error, OutputError):
            raise error
        failure(error, as_json=as_json)
    except BrokenPipeError:
        silence_stdout()
    except OutputError as unwritable:
        silence_stdout()
        failure(unwritable, as_json=False)
        return unwritable.exit_code
    return error.exit_code


def _not_installed(error: ModuleNotFoundError) -> PromptsterError:
    """What to say if the collector's libraries are not installed; a missing module of our own is a fault."""
    if (error.name or "promptster").startswith("promptster"):
        return _internal(error)
    hint = "Run `pip install 'promptster[collector]'`; in a clone, `pip install '.[collector]'`."
    return PromptsterError(
        f"the collector's libraries are not installed ({error.name})", hint=hint, code="not_installed"
    )


def _internal(error: Exception) -> PromptsterError:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return PromptsterError(
        f"unexpected fault in the collector ({type(error).__name__}{place})",
        hint="What was stored is kept. Run the command again. If it fails again, report this line.",
        code="internal",
    )


if __name__ == "__main__":
    sys.exit(main())
