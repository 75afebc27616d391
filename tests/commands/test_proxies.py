"""A SOCKS proxy in the environment is ignored if no request needs it, and named if one does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.helpers.hiring import Invited

SOCKS = {"ALL_PROXY": "socks5://127.0.0.1:9"}


def test_a_session_on_this_computer_needs_no_proxy(invited: Invited) -> None:
    """Every command works, from the policy to the submission: collector and practice provider are on this computer."""
    through_proxy = replace(invited, person=replace(invited.person, extra={**invited.person.extra, **SOCKS}))
    assert through_proxy.start()["session"]
    assert through_proxy.person.result("status")["running"] is True
    assert through_proxy.person.result("submit", "--yes")["received"] > 0


def test_what_would_need_it_is_refused_before_anything_is_agreed_to(invited: Invited) -> None:
    """The message names the variable, the kind of proxy and the host, and nothing has begun."""
    person = replace(invited.person, extra={**invited.person.extra, **SOCKS})
    words = [word for word in invited.start_words() if word != "--upstream" and not word.startswith("openai=")]
    words = [word for word in words if not word.startswith(("anthropic=", "chatgpt="))]
    answer = person.call(*words)
    assert answer.code == 1
    assert "error: ALL_PROXY names a SOCKS proxy, which Promptster does not support" in answer.stderr
    assert "NO_PROXY" in answer.stderr
    assert person.result("status") == {"state": "none"}
