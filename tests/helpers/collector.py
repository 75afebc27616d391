"""A real collector for tests: ``init`` once, ``serve`` in a process of its own on loopback.

``with collector(folder) as running:`` gives its base URL, the token of its owner, its data folder, and ways to stop,
kill and start it again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

COMMAND = (sys.executable, "-m", "promptster_collector")
OWNER = "olga.owner@example.com"
ORGANISATION = "Acme"


def run_command(*arguments: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """Run one command of ``promptster-collector`` to its end."""
    words = [*COMMAND, *(os.fspath(word) for word in arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@dataclass
class RunningCollector:
    """A collector's data folder and, while it runs, its process."""

    data: Path
    """The data folder; also when nothing runs."""
    token: str
    """The owner's token."""
    fingerprint: str
    """Of the collector's key."""
    options: tuple[str, ...] = ()
    """Further options for ``serve``."""
    descriptors: int | None = None
    """How many files and sockets its process may have open; as many as here if not given."""
    url: str = ""
    """Base URL of the process that runs now."""
    log: list[str] = field(default_factory=list[str])
    """Lines that all its processes wrote to standard error."""
    process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    @classmethod
    def create(cls, data: Path, *, organisation: str = ORGANISATION, options: tuple[str, ...] = ()) -> RunningCollector:
        """Run ``init``; nothing is served yet."""
        done = run_command("init", "--data", data, "--org", organisation, "--owner-email", OWNER, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        made = json.loads(done.stdout)
        return cls(data=data, token=made["token"], fingerprint=made["key_fingerprint"], options=options)

    @property
    def port(self) -> int:
        """The port that was used last; 0 before."""
        return int(self.url.rpartition(":")[2]) if self.url else 0

    def start(self, *, port: int | None = None) -> None:
        """Run ``serve`` and return when it answers; on the same port as before unless another one is named."""
        wanted = self.port if port is None else port
        ready = self.data.parent / f".{self.data.name}.ready"
        ready.unlink(missing_ok=True)
        words = [*COMMAND, "serve", "--data", str(self.data), "--port", str(wanted), "--ready-file", str(ready)]
        words = [*words, *self.options]
        if self.descriptors is not None:
            words = ["sh", "-c", f'ulimit -n {self.descriptors} && exec "$@"', "sh", *words]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        answering = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, answering), daemon=True)
        self._reader.start()
        assert answering.wait(60), "the collector did not start"
        assert ready.exists(), "\n".join(self.log[-5:])
        self.url = ready.read_text()

    def _read(self, process: subprocess.Popen[str], answering: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))
                if "listening on" in line:
                    answering.set()
        answering.set()

    def stop(self) -> int:
        """End it as an operator would (SIGTERM); its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._wait()

    def kill(self) -> int:
        """End it with ``kill -9``; its exit code."""
        assert self.process is not None
        self.process.kill()
        return self._wait()

    def _wait(self) -> int:
        assert self.process is not None
        assert self._reader is not None
        code = self.process.wait(60)
        self._reader.join(60)
        self.process = None
        return code


@contextmanager
def collector(
    folder: Path,
    *,
    organisation: str = ORGANISATION,
    options: tuple[str, ...] = (),
    descriptors: int | None = None,
) -> Generator[RunningCollector]:
    """A collector that is set up in ``folder / "collector"`` and answers; it is stopped at the end."""
    running = RunningCollector.create(folder / "collector", organisation=organisation, options=options)
    running.descriptors = descriptors
    running.start()
    try:
        yield running
    finally:
        if running.process is not None:
            running.stop()
