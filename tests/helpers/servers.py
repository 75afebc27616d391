"""Servers of a test or of the demonstration, each a process of its own on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60


def ready_text(path: Path, process: subprocess.Popen[bytes]) -> str:
    """The text of a ready file, once its process has written it.

    Raises:
        RuntimeError: the process ended, or took too long.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.02)  # another process writes the file; there is no event to wait for
    raise RuntimeError(f"{path.name} was never written")


@contextmanager
def serving(command: Sequence[str], ready: Path, log: Path) -> Generator[str]:
    """Run a server until the block ends; yields the base URL that it wrote to ``ready``."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        try:
            yield ready_text(ready, process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{log.read_text()[-2000:]}") from error
    finally:
        process.terminate()
        process.wait()


@contextmanager
def scripted_provider(folder: Path, script: Mapping[str, Any]) -> Generator[str]:
    """The scripted provider; yields its base URL."""
    file, ready = folder / "script.json", folder / "provider.ready"
    file.write_text(json.dumps(script))
    words = [sys.executable, "-m", "tests.helpers.provider", "--script", str(file), "--port", "0"]
    with serving([*words, "--ready-file", str(ready)], ready, folder / "provider.log") as url:
        yield url
