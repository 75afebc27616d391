"""Finds providers at unusual addresses, which a candidate has to know before an agent's key is sent there.

The policy's text contains the addresses too. They are also shown separately, whether the policy or the candidate's own
command line names them, because sending a key to a stranger needs a separate yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promptster.config import is_loopback
from promptster.errors import SessionError
from promptster.protocol.providers import USUAL_ADDRESSES, at_usual_address
from promptster.session_folder.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.protocol.policy import Policy


_WIDTH = 80
"""Columns of a usual terminal."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where one provider's traffic goes instead of to its usual address."""

    name: str
    url: str
    usual: str | None
    """``None`` for a provider that has no usual address here."""

    def lines(self, name: int, width: int) -> list[str]:
        """As part of a list whose names and addresses take up to so many columns: one line, or two if that is long."""
        usual = f"usually {self.usual}" if self.usual is not None else "not a provider that Promptster knows"
        line = f"  {self.name:<{name}}  {self.url:<{width}}    {usual}"
        return [line] if len(line) <= _WIDTH else [f"  {self.name:<{name}}  {self.url}", f"  {'':<{name}}  {usual}"]


def unusual_addresses(base_urls: Mapping[str, str]) -> tuple[Address, ...]:
    """Return the providers that are not at their usual address, sorted by name."""
    usual = at_usual_address(base_urls)
    return tuple(
        Address(name=name, url=url, usual=USUAL_ADDRESSES.get(name))
        for name, url in sorted(base_urls.items())
        if name not in usual
    )


def address_lines(addresses: tuple[Address, ...]) -> list[str]:
    """Return the addresses as lines, which are never wrapped, so that each can be copied whole."""
    name = max((len(address.name) for address in addresses), default=0)
    width = max((len(address.url) for address in addresses), default=0)
    return [line for address in addresses for line in address.lines(name, width)]


def require_encrypted(policy: Policy) -> None:
    """Refuse a policy that sends keys and prompts unencrypted to another computer.

    Raises:
        SessionError: it does so.
    """
    for name, url in sorted(policy.providers.items()):
        if urlsplit(url).scheme != "https" and not is_loopback(url):
            raise SessionError(
                f"the policy sends the traffic of {name} to {url} without encryption",
                hint=f"Nothing was changed. Tell {one_line(policy.organisation)} that it needs https.",
                code="plain_http",
            )
