"""The question about providers at unusual addresses: an agent's API key is sent there only after a yes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptster.errors import ConfirmationNeededError
from promptster.session.joining.consent import RefusedConsentError
from promptster.session_folder.provider_addresses import address_lines
from promptster.session_folder.wording import one_line
from promptster.ui.labels import sentence_lines
from promptster.ui.questions import ask_yes, is_terminal

if TYPE_CHECKING:
    from collections.abc import Collection

    from promptster.session.joining.offer import Offer
    from promptster.session_folder.provider_addresses import Address
    from promptster.ui.output import Output


def check_accepted(unusual: tuple[Address, ...], accepted: Collection[str]) -> None:
    """Refuse an accepted address that the policy does not have: it was meant for another policy.

    Raises:
        RefusedConsentError: the policy does not have one of the addresses.
    """
    offered = {address.url for address in unusual}
    for url in accepted:
        if url not in offered:
            there = " ".join(sorted(offered))
            raise RefusedConsentError(
                f"this policy does not send any traffic to {url}",
                hint="Nothing was changed. "
                + (f"Its unusual addresses: {there}." if there else "Leave out --accept-provider: it needs none."),
                code="provider_address",
            )


def tell_overridden(overridden: tuple[Address, ...], out: Output) -> None:
    """Show where the command line sends the agent's traffic instead of where the policy says."""
    if not overridden:
        return
    for line in sentence_lines("With --upstream, your agent's traffic goes to this computer instead:"):
        out.note(line)
    for line in address_lines(overridden):
        out.note(line)
    out.note("The recording says so.")


def settle_addresses(offer: Offer, unusual: tuple[Address, ...], accepted: Collection[str], out: Output) -> bool:
    """Whether the person agrees to every unusual address; asks about those not accepted on the command line.

    Raises:
        ConfirmationNeededError: nobody can be asked.
    """
    open_ones = tuple(address for address in unusual if address.url not in accepted)
    if not open_ones:
        return True
    if out.json or not is_terminal():
        raise needed(open_ones)
    what = "an unusual address" if len(open_ones) == 1 else "unusual addresses"
    organisation = one_line(offer.invite.organisation)
    for line in sentence_lines(f"{organisation} sends your agent's traffic, with your API key, to {what}:"):
        out.note(line)
    for line in address_lines(open_ones):
        out.note(line)
    whoever = "Whoever runs it" if len(open_ones) == 1 else "Whoever runs them"
    for line in sentence_lines(f"{whoever} can read your prompts, answers and key."):
        out.note(line)
    sys.stderr.flush()
    return ask_yes("Send them there?")


def needed(addresses: tuple[Address, ...]) -> ConfirmationNeededError:
    """The error if nobody can be asked: which options are missing."""
    listed = "\n".join(f"--accept-provider {address.url}" for address in addresses)
    return ConfirmationNeededError(
        "a provider at an unusual address needs your agreement",
        hint=f"Nothing was changed. Your agent's API key would be sent there. If you agree, add\n{listed}",
        code="provider_consent_needed",
    )
