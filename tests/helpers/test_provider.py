"""The scripted provider is deterministic, resumable and byte-exact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.helpers.provider.exchange import Exchange
from tests.helpers.provider.script import Conversation, Fault, Script, ToolUse, Turn
from tests.helpers.provider.server import Provider

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = [{"name": "Bash"}, {"name": "Agent"}]
_SCRIPT = Script(
    conversations=(
        Conversation(
            prompt="build it",
            turns=(
                Turn(thinking="hm", text="first", tools=(ToolUse(name="Bash", input={"command": "ls"}),)),
                Turn(
                    text="second", faults=(Fault(kind="status", status=429, retry_after=1), Fault(kind="cut", after=3))
                ),
            ),
        ),
    )
)


def _body(*said: dict[str, Any], stream: bool = True) -> dict[str, Any]:
    prompt = {"role": "user", "content": [{"type": "text", "text": "please build it now"}]}
    return {"model": "m", "stream": stream, "tools": _TOOLS, "messages": [prompt, *said]}


async def _post(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1/messages?beta=true", json=body, headers={"x-api-key": "k"})


async def test_the_same_request_gets_the_same_turn_again() -> None:
    """A call repeated after a lost answer is answered with the same bytes; the turn is read from the request."""
    async with Provider(_SCRIPT) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:
        one, two = await _post(client, _body()), await _post(client, _body())
    assert one.content == two.content
    assert b'"type":"tool_use"' in one.content
    assert b"message_stop" in one.content


async def test_faults_come_in_order_and_then_the_turn() -> None:
    """Each attempt of a turn takes the next fault; the attempt after the last one succeeds."""
    call = _SCRIPT.conversations[0].tool_id(0, 0, "toolu_")
    said: dict[str, Any] = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": call, "name": "Bash", "input": {}}],
    }
    async with Provider(_SCRIPT) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:
        limited = await _post(client, _body(said))
        with pytest.raises(httpx.RemoteProtocolError):
            await _post(client, _body(said))
        whole = await _post(client, _body(said, stream=False))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")
    assert [item.outcome for item in provider.exchanges] == ["status_429", "cut", "complete"]
    assert whole.json()["content"] == [{"type": "text", "text": "second"}]


async def test_a_held_cut_waits_for_its_release(tmp_path: Path) -> None:
    """Everything before the cut is delivered while the exchange is still open; only the release ends the connection."""
    turn = Turn(text="never told to its end", faults=(Fault(kind="cut", after=3, held=True),))
    script = Script(conversations=(Conversation(prompt="build it", turns=(turn,)),))
    log = tmp_path / "log"
    seen = bytearray()
    async with Provider(script, log=log) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:

        async def read_to_the_end() -> None:
            async with client.stream("POST", "/v1/messages", json=_body(), headers={"x-api-key": "k"}) as answer:
                async for piece in answer.aiter_raw():
                    seen.extend(piece)
                    if seen.count(b"\n\n") == 3:
                        assert not log.exists()
                        provider.release()

        with pytest.raises(httpx.RemoteProtocolError):
            await read_to_the_end()
    assert seen.count(b"\n\n") == 3
    assert log.exists()


async def test_the_log_holds_every_byte(tmp_path: Path) -> None:
    """A line of the log holds head, body and answer exactly, including header case and order."""
    log = tmp_path / "log"
    headers = [("X-Odd-Case", "1"), ("x-odd-case", "2"), ("x-api-key", "k")]
    async with Provider(_SCRIPT, log=log) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:
        answer = await client.post("/v1/messages", content=b'{"tools":[],"title":1}', headers=headers)
    (line,) = log.read_text().splitlines()
    kept = Exchange.from_json(json.loads(line))
    assert ("X-Odd-Case", "1") in kept.headers
    assert ("x-odd-case", "2") in kept.headers
    assert kept.body == b'{"tools":[],"title":1}'
    assert bytes(kept.answer).endswith(answer.content)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_streams_may_be_compressed(encoding: Any) -> None:
    """A compressed stream decodes to the same events."""
    script = Script(conversations=_SCRIPT.conversations, encoding=encoding)
    async with Provider(script) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:
        answer = await client.post(
            "/v1/messages", json=_body(), headers={"x-api-key": "k", "accept-encoding": "gzip, br"}
        )
    assert answer.headers["content-encoding"] == encoding
    assert b"message_stop" in answer.content


async def test_the_responses_api_knows_free_form_and_nested_tools() -> None:
    """Codex's tools are in ``tools`` or in an item of the input; a free-form tool's call carries plain text."""
    turns = (Turn(text="go", tools=(ToolUse(name="exec", input={"input": "text(1)"}),)), Turn(text="done"))
    script = Script(conversations=(Conversation(prompt="build it", turns=turns),))
    nested = {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [nested]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "build it"}]},
    ]
    async with Provider(script) as provider, httpx.AsyncClient(base_url=provider.openai_url) as client:
        answer = await client.post(
            "/responses", json={"model": "m", "stream": True, "input": items}, headers={"authorization": "Bearer k"}
        )
    assert b'"type":"custom_tool_call"' in answer.content
    assert b"response.completed" in answer.content


async def test_calls_without_credentials_are_refused() -> None:
    """An unauthenticated call gets the provider's 401, as the path check at start expects."""
    async with Provider(_SCRIPT) as provider, httpx.AsyncClient(base_url=provider.anthropic_url) as client:
        answer = await client.post("/v1/messages", json={})
        hello = await client.head("/api/hello")
    assert (answer.status_code, hello.status_code) == (401, 200)


def test_variables_fill_a_script() -> None:
    """``${name}`` anywhere in the JSON form is replaced, and an unknown name is an error."""
    value = {"conversations": [{"prompt": "p", "turns": [{"tools": [{"name": "W", "input": {"path": "${ws}/a"}}]}]}]}
    script = Script.from_json(value, {"ws": "/w"})
    assert script.conversations[0].turns[0].tools[0].input == {"path": "/w/a"}
    with pytest.raises(KeyError):
        Script.from_json(value)
