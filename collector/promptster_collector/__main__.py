"""``promptster-collector``: sets a collector up, serves it, hands out its public keys, says what it stores.

Exit codes: 0 ok, 1 error, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

import typer

from promptster.errors import PromptsterError, UsageError, require_supported_platform
from promptster_collector.commands import init, keys, serve, storage_map
from promptster_collector.commands.output import failure
from promptster_collector.errors import database_refused, file_refused

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130
_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""The base of every error about the command line's words, whether typer carries its parser inside or imports it."""

app = typer.Typer(
    name="promptster-collector",
    help="Receives, checks, seals and serves recorded sessions.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("init")(init.command)
app.command("serve")(serve.command)
app.command("keys")(keys.command)
app.command("storage-map")(storage_map.command)


def _run(words: list[str]) -> int:
    try:
        code = app(args=words, prog_name="promptster-collector", standalone_mode=False)
    except PromptsterError:
        raise
    except _USAGE as error:
        text = str(getattr(error, "format_message", error.__str__)()).strip().rstrip(".")
        message = text[:1].lower() + text[1:]
        raise UsageError(message, hint="promptster-collector --help") from None
    except OSError as error:
        raise file_refused(error) from error
    except Exception as error:
        if (refused := database_refused(error)) is not None:
            raise refused from error
        raise
    return code if isinstance(code, int) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        require_supported_platform("promptster-collector")
        return _run(words)
    except PromptsterError as error:
        failure(error, as_json="--json" in words)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        failure(PromptsterError("interrupted", code="interrupted"), as_json="--json" in words)
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        failure(_not_installed(error), as_json="--json" in words)
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence; a traceback may show what was stored
        failure(_internal(error), as_json="--json" in words)
        return 1


def _not_installed(error: ModuleNotFoundError) -> PromptsterError:
    """The candidate's program is installed without the collector's libraries, unless a module of our own is missing."""
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
