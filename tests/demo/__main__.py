"""A whole assessment on this machine, played by all three users with the real program: ``nox -s demo``.

The provider is scripted, so nothing leaves this machine and no key is needed. The agent is the installed ``claude`` or
``codex`` (with a fresh home folder and a made-up key), or the small practice agent beside this file where there is
neither.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
READY_SECONDS = 60
PROMPT = "Please make slugify() handle repeated separators, and add a test that shows it."


@dataclass(frozen=True, kw_only=True)
class User:
    """One person of the play, with a home folder of their own."""

    name: str
    home: Path
    extra: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """A clean environment: nothing of the person who runs the demonstration is read or written."""
        kept = {key: os.environ[key] for key in ("LANG", "TERM", "TMPDIR", "SSL_CERT_FILE") if key in os.environ}
        return {
            **kept,
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **self.extra,
        }

    def run(self, *words: str, given: str | None = None, cwd: Path | None = None, ok: Sequence[int] = (0,)) -> str:
        """Run one promptster command as this person and return what it printed; it must end with a code in ``ok``."""
        shown = " ".join(word if " " not in word else f"'{word}'" for word in words)
        print(f"\n[{self.name}] $ promptster {shown}", flush=True)
        done = subprocess.run(
            [str(BIN / "promptster"), *words],
            env=self.environment(),
            input=given if given is not None else "",
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            check=False,
        )
        if done.returncode not in ok:
            print(done.stdout)
            sys.exit(f"the demonstration stopped: promptster {words[0]} ended with {done.returncode}")
        return done.stdout

    def result(self, *words: str, given: str | None = None, cwd: Path | None = None) -> dict[str, Any]:
        """Run one command with ``--json`` and return its one document."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json", given=given, cwd=cwd))
        return document


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> str:
    """The text of a ready file, once its process has written it."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text().strip()):
            return text
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"the demonstration stopped: {path.stem} did not start")


@contextmanager
def server(command: Sequence[str], ready: Path, log: Path) -> Iterator[str]:
    """A server of the play, in the background; yields its base URL."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        try:
            yield wait_for(ready, process)
        finally:
            process.terminate()
            process.wait()


def choose_agent(wanted: str, tools: Path) -> tuple[str, bool]:
    """The agent's name, and whether it is the practice agent, for which a ``claude`` is put into ``tools``."""
    installed = [name for name in ("claude", "codex") if shutil.which(name)]
    if wanted == "auto":
        wanted = installed[0] if installed else "practice"
    if wanted != "practice":
        if wanted not in installed:
            sys.exit(f"{wanted} is not installed; leave out --agent to use what is there")
        return wanted, False
    program = tools / "claude"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "practice_agent.py"}" "$@"\n')
    program.chmod(0o755)
    return "claude", True


def make_repository(folder: Path) -> None:
    """The assessment's repository: one module with something left to do."""
    shutil.copytree(HERE / "repository", folder)
    identity = ["-c", "user.name=Promptster", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "The task"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def agent_words(agent: str, *, practice: bool) -> list[str]:
    """What to type after ``promptster run``."""
    if agent == "codex":
        return ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT]
    skip = [] if practice else ["--dangerously-skip-permissions"]
    return ["claude", "-p", PROMPT, *skip]


def play(stage: Path, output: Path, wanted: str) -> None:
    """The three acts."""
    tools = stage / "tools"
    tools.mkdir()
    agent, practice = choose_agent(wanted, tools)
    print(f"agent: {'the practice agent' if practice else shutil.which(agent)}")
    make_repository(stage / "task")
    people = {name: stage / name for name in ("recruiter", "candidate", "reviewer")}
    for home in people.values():
        home.mkdir()
    keys = {
        "PATH": f"{tools}{os.pathsep}{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANTHROPIC_API_KEY": "sk-ant-made-up-for-the-demonstration",
        "CODEX_API_KEY": "sk-made-up-for-the-demonstration",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
    }
    recruiter = User(name="recruiter", home=people["recruiter"], extra={})
    candidate = User(name="candidate", home=people["candidate"], extra=keys)
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
        collector = stack.enter_context(server([*serve, "--ready-file", str(ready)], ready, stage / "collector.log"))
        ready = stage / "provider.ready"
        script = [
            sys.executable,
            "-m",
            "tests.helpers.provider",
            "--script",
            str(HERE / f"{agent}.json"),
            "--port",
            "0",
        ]
        provider = stack.enter_context(server([*script, "--ready-file", str(ready)], ready, stage / "provider.log"))
        invite = invite_candidate(recruiter, collector, owner, stage / "task")
        bundle = take_assessment(
            candidate, invite, provider, agent_words(agent, practice=practice), stage / "workspace"
        )
        review(reviewer, collector, owner, bundle, output)


def invite_candidate(recruiter: User, collector: str, owner: str, repository: Path) -> dict[str, Any]:
    """Act one: sign in, describe the assessment, invite."""
    print("\n--- A recruiter invites", flush=True)
    recruiter.run("login", "--collector", collector, "--token-stdin", given=owner)
    created = recruiter.result(
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
    return recruiter.result("invite", created["id"], "--name", "Ada Example", "--email", "ada@example.com")


def take_assessment(
    candidate: User, invite: Mapping[str, Any], provider: str, words: Sequence[str], workspace: Path
) -> Path:
    """Act two: read the policy, agree, work with the agent, look at what was captured, submit.

    Returns:
        The candidate's own bundle.
    """
    print("\n--- A candidate reads, agrees and works", flush=True)
    policy = candidate.result("policy", invite["link"])
    print(policy["text"])
    started = candidate.result(
        "start",
        invite["link"],
        *("--workspace", str(workspace), "--accept-policy", f"sha256:{policy['sha256']}", "--secrets", "file"),
        *("--upstream", f"anthropic={provider}", "--upstream", f"openai={provider}/v1"),
    )
    print(f"session {started['session']}")
    print(candidate.run("run", *words, cwd=workspace))
    seen = candidate.result("inspect")
    print(f"captured so far: {len(seen['events'])} events")
    submitted = candidate.result("submit", "--yes", cwd=workspace)
    print(f"received {submitted['received']} of {submitted['events']} events")
    return Path(submitted["bundle"])


def review(reviewer: User, collector: str, owner: str, own_copy: Path, output: Path) -> None:
    """Act three: list the sessions, export, verify offline, and hold it against the candidate's own copy."""
    print("\n--- A reviewer reads, and anyone verifies", flush=True)
    reviewer.run("login", "--collector", collector, "--token-stdin", given=owner)
    session = reviewer.result("sessions")["sessions"][0]["session"]
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
