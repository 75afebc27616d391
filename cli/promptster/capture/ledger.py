"""Tool calls by id: who has told of each, so that nothing is told twice by one source and silence is noticed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptster.capture.agents.interface import Identity
    from promptster.capture.providers.interface import ToolUse

_CALLS_KEPT = 50_000

Key = tuple[str, str, str]


@dataclass(kw_only=True)
class KnownCall:
    """What is known of one tool call."""

    identity: Identity
    """The conversation in which it was first seen."""
    use: ToolUse | None = None
    """The call as the model made it, until its result was seen."""
    name: str = ""
    """The tool."""
    proxy_call: bool = False
    hook_call: bool = False
    proxy_result: bool = False
    hook_result: bool = False
    asks_as: str = ""
    """The call as a hook told it, until its result; a question for permission tells it in the same words."""
    is_asked: bool = False
    """Whether the person at the keyboard was asked and has not answered."""
    lacks_actions: bool = False
    """Whether the proxy's result is in the journal and nothing behind it that the tool did: the rest may be lost."""
    proxy_seq: int | None = None
    """``seq`` of the proxy's tool_call."""
    response_seq: int | None = None
    """``seq`` of a response that broke off behind this call, so that only a later request shows whether it was run."""
    hook_seq: int | None = None
    """``seq`` of the hook's tool_call."""

    def begin_again(self, src: str) -> None:
        """A source tells of a call whose result it has told already: the id was given to another call."""
        if src == "proxy" and self.proxy_result:
            self.proxy_call = self.proxy_result = False
        elif src == "hook" and self.hook_result:
            self.hook_call = self.hook_result = False


class Ledger:
    """The latest tool calls of all conversations."""

    def __init__(self) -> None:
        self._calls: OrderedDict[Key, KnownCall] = OrderedDict()

    def find(self, identity: Identity, tool_use_id: str) -> KnownCall | None:
        """The call, if anyone told of it. Subagents share their session's ids."""
        return self._calls.get((identity.agent, identity.session, tool_use_id))

    def entry(self, identity: Identity, tool_use_id: str) -> KnownCall:
        """The call, known or new."""
        key = (identity.agent, identity.session, tool_use_id)
        known = self._calls.get(key)
        if known is None:
            known = self._calls[key] = KnownCall(identity=identity)
            if len(self._calls) > _CALLS_KEPT:
                self._calls.popitem(last=False)
        return known

    def in_question(self, identity: Identity, asks_as: str) -> KnownCall | None:
        """The oldest call of a conversation that a hook told in these words and that has not been asked for."""
        return next(
            (
                known
                for known in self._calls.values()
                if known.asks_as == asks_as and known.identity == identity and not known.is_asked
            ),
            None,
        )

    def running(self, identity: Identity, name: str) -> KnownCall | None:
        """The latest call of a tool in a conversation that the proxy saw begin and not end."""
        return next(
            (
                known
                for known in reversed(self._calls.values())
                if known.identity == identity and known.name == name and known.proxy_call and not known.proxy_result
            ),
            None,
        )
