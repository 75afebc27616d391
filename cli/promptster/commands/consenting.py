"""The consent screen of ``promptster start``: a summary in five lines, the full policy, and the question.

Only the word ``agree`` consents. Enter neither agrees nor refuses, and whoever leaves reads that nothing was changed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptster.clock import SystemClock
from promptster.errors import ConfirmationNeededError
from promptster.protocol.policy import PolicyV2
from promptster.session.joining.consent import DeclinedError
from promptster.session.joining.offer import in_short, policy_page
from promptster.session_folder.wording import one_line
from promptster.times import soon
from promptster.ui.labels import labelled, sentence_lines
from promptster.ui.long_text import show_paged
from promptster.ui.questions import ask_word, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.session.joining.offer import Offer
    from promptster.ui.output import Output

_AGREE = "agree"
_READ = frozenset({"read", "r"})
_LEAVE = frozenset({"leave", "q", "no"})
_QUESTION = "Type agree to start, read for the full policy, or leave: "
_AGAIN = "Type the whole word: agree, read or leave: "
_NOTHING = "Nothing was changed and nothing was recorded."


def require_a_person(offer: Offer, out: Output) -> None:
    """Return if a person at a terminal can read and agree.

    Raises:
        ConfirmationNeededError: there is no terminal, or ``--json`` was given.
    """
    if out.json or not is_terminal():
        raise ConfirmationNeededError(
            "consent needs a terminal, or --accept-policy",
            hint="Nothing was changed. Read the policy with `promptster policy LINK`, then add\n"
            f"--accept-policy sha256:{offer.policy_sha256}",
            code="consent_needed",
        )


def ask_consent(offer: Offer, will_do: str, out: Output, *, before: Callable[[], None]) -> None:
    """Show what the organisation asks for, and return if the person agrees.

    Args:
        offer: what the invite offers.
        will_do: what happens to the workspace, as ``WorkspacePlan.sentence`` says it.
        out: where the screen is shown.
        before: shows what else matters, right before the question.

    Raises:
        DeclinedError: the person left.
    """
    organisation, title = one_line(offer.invite.organisation), one_line(offer.policy.title)
    asks = f'{organisation} asks to record how you use AI coding agents in "{title}".'
    then = f"If you agree, Promptster {will_do} and starts recording."
    for line in (*sentence_lines(asks), *labelled(in_short(offer)), "", *sentence_lines(then)):
        out.note(line)
    before()
    words = {_AGREE, *_READ, *_LEAVE}
    answer = ask_word(_QUESTION, words, _AGAIN)
    while answer in _READ:
        show_paged(policy_page(offer, SystemClock().wall_ms()))
        out.note()
        answer = ask_word(_QUESTION, words, _AGAIN)
    if answer != _AGREE:
        raise declined(offer)


def declined(offer: Offer) -> DeclinedError:
    """What a person reads who did not agree."""
    until = soon(offer.invite.expires, SystemClock().wall_ms())
    organisation = one_line(offer.invite.organisation)
    offered = offer.policy.alternative if isinstance(offer.policy, PolicyV2) else None
    lines = [
        f"{organisation} can see that the invite was opened, but not this answer.",
        f"Your invite stays valid until {until}.",
        *([f"{organisation} offers {offered.rstrip('.')} instead."] if offered else []),
    ]
    return DeclinedError(f"You did not agree. {_NOTHING}", hint="\n".join(lines))


def interrupted(offer: Offer) -> DeclinedError:
    """What a person reads who pressed Ctrl-C before agreeing."""
    sys.stderr.write("\n")
    until = soon(offer.invite.expires, SystemClock().wall_ms())
    return DeclinedError(_NOTHING, hint=f"To return until {until}: promptster start LINK", interrupted=True)
