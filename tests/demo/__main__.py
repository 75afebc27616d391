"""A whole assessment on this machine, played by all three users with the real program: ``nox -s demo``.

The provider is scripted, so nothing leaves this machine and no key is needed. The agent is the installed ``claude`` or
``codex`` (with a fresh home folder and a made-up key), or the practice agent of the tests if neither is installed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.people import BIN, Person
from tests.helpers.practice_agent import install as install_practice_agent
from tests.helpers.servers import scripted_provider, serving

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROMPT = "Please make slugify() handle repeated separators, and add a test that shows it."


@dataclass(frozen=True, kw_only=True)
class User(Person):
    """One person of the demonstration; what they type is shown."""

    def run(self, *words: str, given: str = "", cwd: Path | None = None) -> str:
        """Run one promptster command as this person and return what it printed.

        Raises:
            SystemExit: the command failed, which ends the demonstration.
        """
        print(f"\n[{self.name}] $ promptster {shlex.join(words)}", flush=True)
        answer = self.call(*words, given=given, cwd=cwd)
        if answer.code:
            print(answer.stdout, answer.stderr, sep="\n")
            sys.exit(f"the demonstration stopped: promptster {words[0]} ended with {answer.code}")
        return answer.stdout

    def ask(self, *words: str, given: str = "", cwd: Path | None = None) -> dict[str, Any]:
        """Run one command with ``--json`` and return its one document."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json", given=given, cwd=cwd))
        return document


def choose_agent(wanted: str, tools: Path) -> tuple[str, bool]:
    """The agent's name, and whether it is the practice agent, for which a ``claude`` is put into ``tools``."""
    installed = [name for name in ("claude", "codex") if shutil.which(name)]
    if wanted == "auto":
        wanted = installed[0] if installed else "practice"
    if wanted != "practice":
        if wanted not in installed:
            sys.exit(f"{wanted} is not installed; leave out --agent to use what is there")
        return wanted, False
    install_practice_agent(tools)
    return "claude", True


def make_repository(folder: Path) -> None:
    """The assessment's repository: one module with something left to do."""
    shutil.copytree(HERE / "repository", folder)
    identity = ["-c", "user.name=Promptster", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "The task"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def agent_words(agent: str, *, practice: bool) -> list[str]:
    """The arguments that come after ``promptster run``."""
    if agent == "codex":
        model = ["-m", "gpt-5.5"]  # one whose calls the script can make one by one
        return ["codex", "exec", *model, "--dangerously-bypass-approvals-and-sandbox", PROMPT]
    skip = [] if practice else ["--dangerously-skip-permissions"]
    return ["claude", "-p", PROMPT, *skip]


def play(stage: Path, output: Path, wanted: str) -> None:
    """Play the three acts."""
    tools = stage / "tools"
    tools.mkdir()
    agent, practice = choose_agent(wanted, tools)
    print(f"agent: {'the practice agent' if practice else shutil.which(agent)}")
    make_repository(stage / "task")
    people = {name: stage / name for name in ("recruiter", "candidate", "reviewer")}
    for home in people.values():
        home.mkdir()
    keys = {
        "ANTHROPIC_API_KEY": "sk-ant-made-up-for-the-demonstration",
        "CODEX_API_KEY": "sk-made-up-for-the-demonstration",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
    }
    recruiter = User(name="recruiter", home=people["recruiter"], extra={})
    candidate = User(name="candidate", home=people["candidate"], extra=keys, tools=tools)
    reviewer = User(name="reviewer", home=people["reviewer"], extra={})
    data = stage / "collector"
    with ExitStack() as stack:
        initialised = subprocess.run(
            [
                BIN / "promptster-collector",
                "init",
                "--data",
                data,
                "--org",
                "Acme",
                "--owner-email",
                "o@example.com",
                "--json",
            ],
            stdout=subprocess.PIPE,
            check=True,
        )
        owner = json.loads(initialised.stdout)["token"]
        ready = stage / "collector.ready"
        serve = [str(BIN / "promptster-collector"), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", "0"]
        collector = stack.enter_context(serving([*serve, "--ready-file", str(ready)], ready, stage / "collector.log"))
        script = (HERE / f"{agent}.json").read_text().replace("${workspace}", str(stage / "workspace"))
        provider = stack.enter_context(scripted_provider(stage, json.loads(script)))
        invite = invite_candidate(recruiter, collector, owner, stage / "task")
        # no process is left running, whatever happens; after submit this has no effect
        stack.callback(candidate.call, "stop", "--yes")
        bundle = take_assessment(
            candidate, invite, provider, agent_words(agent, practice=practice), stage / "workspace"
        )
        review(reviewer, collector, owner, bundle, output)


def invite_candidate(recruiter: User, collector: str, owner: str, repository: Path) -> dict[str, Any]:
    """Act one: sign in, describe the assessment, invite."""
    print("\n--- A recruiter invites", flush=True)
    recruiter.run("login", "--collector", collector, "--token-stdin", given=owner)
    created = recruiter.ask(
        "assessment",
        "create",
        "--title",
        "Slugs",
        "--repo",
        str(repository),
        "--time-limit",
        "90m",
        "--retention",
        "30d",
    )
    return recruiter.ask("invite", created["id"], "--name", "Ada Example", "--email", "ada@example.com")


def take_assessment(
    candidate: User, invite: Mapping[str, Any], provider: str, words: Sequence[str], workspace: Path
) -> Path:
    """Act two: read the policy, agree, work with the agent, look at what was captured, submit.

    Returns:
        The candidate's own bundle.
    """
    print("\n--- A candidate reads, agrees and works", flush=True)
    policy = candidate.ask("policy", invite["link"])
    print(policy["text"])
    started = candidate.ask(
        "start",
        invite["link"],
        *("--workspace", str(workspace), "--accept-policy", f"sha256:{policy['sha256']}", "--secrets", "file"),
        *("--upstream", f"anthropic={provider}", "--upstream", f"openai={provider}/v1"),
    )
    print(f"session {started['session']}")
    print(candidate.run("run", *words, cwd=workspace))
    seen = candidate.ask("inspect")
    print(f"captured so far: {len(seen['entries'])} entries")
    submitted = candidate.ask("submit", "--yes", cwd=workspace)
    print(f"received {submitted['received']} of {submitted['events']} events")
    return Path(submitted["bundle"])


def review(reviewer: User, collector: str, owner: str, own_copy: Path, output: Path) -> None:
    """Act three: list the sessions, export, verify offline, and compare with the candidate's own copy."""
    print("\n--- A reviewer reads, and anyone verifies", flush=True)
    reviewer.run("login", "--collector", collector, "--token-stdin", given=owner)
    session = reviewer.ask("sessions")["sessions"][0]["session"]
    bundle, page = output / "session.promptster", output / "replay.html"
    reviewer.run("export", session, "--format", "bundle", "-o", str(bundle), "--force")
    reviewer.run("export", session, "--format", "html", "-o", str(page), "--force")
    print(reviewer.run("verify", str(bundle)))
    reviewer.run("verify", str(own_copy))
    print(f"verified bundle: {bundle}\nHTML replay:     {page}")


def main() -> None:
    """Parse the few options and play."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--agent", choices=["auto", "claude", "codex", "practice"], default="auto")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="where bundle and replay are put")
    options = parser.parse_args()
    output: Path = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="promptster-demo-") as stage:
        play(Path(stage), output, options.agent)


if __name__ == "__main__":
    main()
