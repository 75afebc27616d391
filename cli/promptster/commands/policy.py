"""``promptster policy``: read what would be recorded before agreeing to anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import Code, CollectorOption, JsonOption, read_code

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.session.joining.offer import fetch_offer, policy_document, policy_page
    from promptster.ui.long_text import wrap
    from promptster.ui.output import Output


def command(code: Code = None, *, collector: CollectorOption = None, json: JsonOption = False) -> None:
    """Read what would be recorded. Nothing is changed on this computer, and nothing is recorded.

    Example: promptster policy LINK
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    clock = SystemClock()
    offer = fetch_offer(read_code(code, "policy"), collector, config, clock)
    out.result(policy_document(offer))
    if not json:
        out.say("\n".join(wrap(policy_page(offer, clock.wall_ms()))))
        out.say(f"The hash of this policy, for scripts:\nsha256:{offer.policy_sha256}")
        out.say("Nothing was changed. To start: promptster start LINK")
