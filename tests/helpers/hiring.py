"""What tests of the whole program need: a real collector, a recruiter, and candidates, each with a home folder."""

from __future__ import annotations

import contextlib
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.helpers.collector import collector
from tests.helpers.people import Person

from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.helpers.collector import RunningCollector

NOWHERE = "http://127.0.0.1:9"
"""An address without a server, so that no test reaches a real provider."""
UPSTREAMS = tuple(word for name in ("anthropic", "openai", "chatgpt") for word in ("--upstream", f"{name}={NOWHERE}"))


@dataclass(frozen=True, kw_only=True)
class Invited:
    """A person who holds an invite."""

    person: Person
    link: str
    code: str
    folder: Path
    """A folder of their own, with ``home`` in it."""

    @property
    def workspace(self) -> Path:
        """Where they work, once they have started."""
        return self.folder / "work"

    def policy_hash(self) -> str:
        """What ``--accept-policy`` takes."""
        return f"sha256:{self.person.result('policy', self.link, '--json')['sha256']}"

    def start_words(self, *more: str) -> tuple[str, ...]:
        """The command line of a start without a terminal."""
        words = ("start", self.link, "--workspace", str(self.workspace), "--accept-policy", self.policy_hash())
        return (*words, "--secrets", "file", *UPSTREAMS, *more)

    def start(self, *more: str) -> dict[str, Any]:
        """Start for real."""
        return self.person.result(*self.start_words("--json", *more))

    @property
    def state(self) -> Path:
        """The state folder of this person."""
        return self.person.home / ".local" / "state" / "promptster"

    @property
    def session(self) -> SessionFolder:
        """The folder of the one session."""
        (facts,) = self.state.glob("sessions/*/session.json")
        return SessionFolder(facts.parent)

    def processes(self) -> list[int]:
        """Process ids of supervisor and recorder from their pid files, supervisor first."""
        found: list[int] = []
        for name in ("supervisor.pid", "recorder.pid"):
            for path in self.state.glob(f"sessions/*/{name}"):
                with contextlib.suppress(ValueError, FileNotFoundError):  # an ending supervisor removes its file
                    found.append(int(path.read_text()))
        return found

    def end_processes(self) -> None:
        """End the processes that still run, as a reboot would."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Hiring:
    """A collector with an owner who is signed in."""

    running: RunningCollector
    owner: Person
    folder: Path

    def assessment(self, title: str = "Build a parser", *more: str) -> str:
        """Set up an assessment and return its id."""
        return str(self.owner.result("assessment", "create", "--title", title, *more, "--json")["id"])

    @contextmanager
    def invited(self, name: str, *, assessment: str | None = None, **extra: str) -> Generator[Invited]:
        """A person with an invite; every process that they started is ended afterwards."""
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        words = ("invite", assessment or self.assessment(), "--name", name, "--email", f"{name}@example.com", "--json")
        made = self.owner.result(*words)
        person = Person(name=name, home=folder / "home", extra=extra)
        invited = Invited(person=person, link=made["link"], code=made["code"], folder=folder)
        try:
            yield invited
        finally:
            invited.end_processes()


@contextmanager
def hiring_in(folder: Path, *, options: tuple[str, ...] = ()) -> Generator[Hiring]:
    """A collector in ``folder``, with further options for ``serve``, and its owner; it is stopped at the end."""
    with collector(folder, options=options) as running:
        (folder / "owner").mkdir()
        owner = Person(name="owner", home=folder / "owner")
        owner.result("login", "--collector", running.url, "--token-stdin", "--json", given=running.token)
        yield Hiring(running=running, owner=owner, folder=folder)
