"""What real agents say and do is in clear in no file that we wrote, even while the recorder was down."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.runs import PROMPTSTER, candidate_root
from tests.e2e.world import AGENT_ENVIRONMENT, Candidate
from tests.helpers.people import Person
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running
from tests.helpers.waiting import wait_until

from promptster.paths import socket_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.conftest import Participants
    from tests.helpers.provider.server import Provider

pytestmark = pytest.mark.e2e

_SKIP = {
    "claude": ("--dangerously-skip-permissions",),
    "codex": ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
}


def _marks(what: str, count: int) -> list[str]:
    return [f"{what}-{number:02d}-Kq7vZx{number * 7919 % 9973:04d}" for number in range(count)]


def _script(said: list[str], done: list[str]) -> Script:
    shell = {"claude": ("Bash", "command"), "codex": ("exec_command", "cmd")}
    return Script(
        conversations=tuple(
            Conversation(
                prompt=f"planted for {agent}",
                turns=(
                    Turn(
                        thinking=said[4 * at],
                        text=said[4 * at + 1],
                        tools=(
                            ToolUse(name=tool, input={field: f"sleep 1; echo {done[2 * at]} | tee {done[2 * at + 1]}"}),
                        ),
                    ),
                    Turn(thinking=said[4 * at + 2], text=said[4 * at + 3], pace_ms=20, chunk=4),
                ),
            )
            for at, (agent, (tool, field)) in enumerate(shell.items())
        )
    )


def _is_asked_again(provider: Provider, before: int) -> bool:
    return len(provider.exchanges) > before


def test_fifty_planted_secrets_are_nowhere_in_clear(
    participants: Participants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, prompts, thoughts, answers, commands, output, file names, a name and an address are never in clear."""
    keys, prompts, said, done = _marks("sk-key", 2), _marks("prompt", 34), _marks("said", 8), _marks("done", 4)
    name, address = "Nameless-Kq7vZx01", "kq7vzx02@example.com"
    marks = [*keys, *prompts, *said, *done, name, address]
    assert len(marks) == 50
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    extra = {**AGENT_ENVIRONMENT, "ANTHROPIC_API_KEY": keys[0], "CODEX_API_KEY": keys[1]}
    candidate.person = Person(name="candidate", home=candidate.person.home, extra=extra, tools=candidate.person.tools)
    ours = [participants.collector.data, *_ours(candidate.person), *_ours(participants.recruiter.person)]
    try:
        with running(_script(said, done)) as provider:
            link = participants.recruiter.invite(name, address)
            candidate.start(link, anthropic=provider.anthropic_url, openai=provider.openai_url)
            monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)  # the candidate has none
            ours.append(socket_folder(candidate.state_dir))
            for agent, words in {"claude": ("claude", "-p"), "codex": ("codex", "exec", "-m", "gpt-5.5")}.items():
                before = len(provider.exchanges)
                prompt = f"planted for {agent} {' '.join(prompts)}"
                process = candidate.popen(PROMPTSTER, "run", *words, prompt, *_SKIP[agent])
                wait_until(functools.partial(_is_asked_again, provider, before), "the agent's first call")
                candidate.kill_recorder()
                process.communicate()
                assert process.returncode == 0
            assert _hits(ours, marks) == []
            submitted = candidate.submit()
        bundle = Path(submitted["bundle"])
        assert prompts[0].encode() in bundle.read_bytes()
        assert _hits(ours, marks, beside=[bundle]) == []
    finally:
        candidate.end()


def _ours(person: Person) -> list[Path]:
    return [person.home / name / "promptster" for name in (".local/state", ".local/share", ".config", ".cache")]


def _hits(folders: Iterable[Path], marks: Iterable[str], *, beside: Iterable[Path] = ()) -> list[str]:
    skipped = {path.resolve() for path in beside}
    found: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.resolve() not in skipped:
                data = path.read_bytes()
                found += [f"{mark} in {path}" for mark in marks if mark in path.name or mark.encode() in data]
    return found
