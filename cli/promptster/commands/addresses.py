"""The question about providers at unusual addresses, beside the policy: an agent's key goes there only after a yes."""

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
    """Refuse an accepted address that nobody offers: it was meant for another policy.

    Raises:
        RefusedConsentError: there is one.
    """
    offered = {address.url for address in unusual}
    for url in accepted:
        if url not in offered:
            there = " ".join(sorted(offered)) or "none: every provider is at its usual one"
            raise RefusedConsentError(
                f"this policy does not send a provider's traffic to {url}",
                hint=f"Nothing was changed. Its unusual addresses: {there}.",
                code="provider_address",
            )


def tell_overridden(overridden: tuple[Address, ...], out: Output) -> None:
    """Name where the command line sends an agent's traffic, whatever the policy's text says about it."""
    if not overridden:
        return
    for line in sentence_lines("You send your agent's traffic to this computer instead, by --upstream:"):
        out.note(line)
    for line in address_lines(overridden):
        out.note(line)
    out.note("The recording says so.")


def settle_addresses(offer: Offer, unusual: tuple[Address, ...], accepted: Collection[str], out: Output) -> bool:
    """Whether the person agrees to every unusual address; asks about those that were not accepted by name.

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
    """What is missing where nobody can be asked."""
    listed = "\n".join(f"--accept-provider {address.url}" for address in addresses)
    return ConfirmationNeededError(
        "a provider at an unusual address needs a yes of its own",
        hint=f"Nothing was changed. Your agent's key would go there. If you agree, add\n{listed}",
        code="provider_consent_needed",
    )
