"""Hooks are answered and the recorder is killed right after: each call is recorded, and once."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.helpers.running import kill_and_wait, prepared

from promptster.agents.hook_command import hook_command
from promptster_hooks import frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.running import Running

    from promptster.session_folder.control_messages import LaunchTicket


class Hooks:
    """An agent's hooks, each with a prompt of its own, by all three ways to the recorder."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._ticket: LaunchTicket = running.control.launch()
        self.answered: list[str] = []
        """Prompts whose hook was answered."""
        self._forwarded: list[subprocess.Popen[bytes]] = []
        self._number = 0

    def _payload(self) -> tuple[str, bytes]:
        self._number += 1
        prompt = f"prompt {self._number}"
        body = {"session_id": "s1", "hook_event_name": "UserPromptSubmit", "prompt": prompt, "prompt_id": prompt}
        return prompt, json.dumps(body).encode()

    def over_http(self) -> None:
        """Report as Claude Code does."""
        prompt, payload = self._payload()
        answer = httpx.post(
            self._ticket.hook_url("claude"),
            content=payload,
            headers={"x-promptster-token": self._ticket.token, "content-type": "application/json"},
            trust_env=False,
        )
        assert answer.status_code == 200
        self.answered.append(prompt)

    def over_the_socket(self) -> None:
        """Report as the forwarder does, without its patience."""
        prompt, payload = self._payload()
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self._ticket.hook_socket)
            link.sendall(frame.encode("claude", payload))
            assert link.recv(1) == frame.ACK
        self.answered.append(prompt)

    def forward(self) -> None:
        """Start the forwarder itself; it answers for its call in either case."""
        prompt, payload = self._payload()
        words = [*hook_command(), "claude", self._ticket.hook_socket, self._ticket.spool]
        process = subprocess.Popen(words, stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(payload)
        process.stdin.close()
        self._forwarded.append(process)
        self.answered.append(prompt)

    def wait(self) -> None:
        """Until every forwarder has ended."""
        for process in self._forwarded:
            assert process.wait() == 0
        self._forwarded.clear()


def _fight(running: Running, kills: int) -> None:
    running.spawn()
    hooks = Hooks(running)
    for number in range(kills):
        hooks.forward()
        if number % 2:
            hooks.over_http()
            hooks.over_the_socket()
        else:
            hooks.over_the_socket()
            hooks.over_http()
        kill_and_wait(running.recorder_pid)  # right after the last answer
        assert running.control.status().restarts == number + 1
        hooks.wait()
    running.control.close([])
    told = Counter(event.fields["text"] for event in running.events() if event.kind == "prompt")
    assert [prompt for prompt in hooks.answered if told[prompt] != 1] == []
    assert len(told) == len(hooks.answered)


def test_an_answered_hook_outlives_the_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the short form of the test below."""
    with prepared(tmp_path, monkeypatch) as running:
        _fight(running, 5)


@pytest.mark.kills
def test_none_of_six_hundred_hooks_is_lost_in_two_hundred_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With three ways, an answer each, and a kill after every third answer, none is lost and none doubled."""
    with prepared(tmp_path, monkeypatch) as running:
        _fight(running, 200)
