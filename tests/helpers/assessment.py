"""One assessment with the real program: collector, recruiter, candidate with the practice agent, scripted provider.

Every part is a process of its own; tests type commands and look at the resulting files and output.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.collector import RunningCollector
from tests.helpers.people import Answer, Person
from tests.helpers.practice_agent import install
from tests.helpers.servers import scripted_provider

DELIVERY_SECONDS = 60


@dataclass(kw_only=True)
class Assessment:
    """The people and processes of one assessment."""

    folder: Path
    collector: RunningCollector
    recruiter: Person
    candidate: Person
    workspace: Path
    provider: str
    session: str = ""

    def invite(self, *, name: str = "Ada Example", email: str = "ada@example.com") -> dict[str, Any]:
        """Sign the recruiter in, create an assessment and invite one person."""
        self.recruiter.result("login", "--collector", self.collector.url, "--token-stdin", given=self.collector.token)
        created = self.recruiter.result("assessment", "create", "--title", "Slugs", "--repo", str(self.repository))
        return self.recruiter.result("invite", created["id"], "--name", name, "--email", email)

    @property
    def repository(self) -> Path:
        """A small git repository, made when it is first asked for."""
        folder = self.folder / "task"
        if not folder.exists():
            folder.mkdir()
            (folder / "app.py").write_text("print('hello')\n")
            identity = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
            for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "start"]):
                subprocess.run(["git", *words], cwd=folder, check=True, env=self.candidate.environment())
        return folder

    def start(self, invite: Mapping[str, Any]) -> dict[str, Any]:
        """Agree to the policy and start recording."""
        policy = self.candidate.result("policy", invite["link"])
        started = self.candidate.result(
            "start",
            invite["link"],
            *("--workspace", str(self.workspace), "--accept-policy", f"sha256:{policy['sha256']}", "--secrets", "file"),
            *("--upstream", f"anthropic={self.provider}"),
        )
        self.session = started["session"]
        return started

    def work(self, prompt: str) -> Answer:
        """Run the agent once."""
        return self.candidate.call("run", "claude", "-p", prompt, cwd=self.workspace)

    def delivered(self) -> None:
        """Wait until the collector has acknowledged everything that was recorded so far.

        Raises:
            AssertionError: it took too long.
        """
        deadline = time.monotonic() + DELIVERY_SECONDS
        while time.monotonic() < deadline:
            status = self.candidate.result("status")
            if status["events"] == status["received"]:
                return
            time.sleep(0.1)  # another process's state; there is no event to wait for
        raise AssertionError("the collector did not acknowledge everything in time")


@contextmanager
def assessment(
    folder: Path, running: RunningCollector, conversations: Sequence[Mapping[str, Any]], **environment: str
) -> Generator[Assessment]:
    """An assessment whose provider answers with ``conversations``; the recorder is stopped at the end."""
    tools = folder / "tools"
    people = {name: folder / name for name in ("recruiter", "candidate")}
    for made in (tools, *people.values()):
        made.mkdir()
    install(tools)
    extra = {"ANTHROPIC_API_KEY": "sk-ant-made-up", **environment}
    with scripted_provider(folder, {"conversations": list(conversations)}) as provider:
        stage = Assessment(
            folder=folder,
            collector=running,
            recruiter=Person(name="recruiter", home=people["recruiter"]),
            candidate=Person(name="candidate", home=people["candidate"], extra=extra, tools=tools),
            workspace=folder / "workspace",
            provider=provider,
        )
        try:
            yield stage
        finally:
            stage.candidate.call("stop", "--yes", "--json")
