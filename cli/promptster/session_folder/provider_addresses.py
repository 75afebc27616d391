"""Providers that are not where they usually are: what a candidate has to know before an agent's key goes there.

The addresses are in the policy's text too, among many other words. Sending a key to a stranger takes a look and a yes
of its own, so that they are named apart from it, by the collector's wish or by the candidate's own command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promptster.config import is_loopback
from promptster.errors import SessionError
from promptster.proxy.upstreams import DEFAULT_UPSTREAMS, at_usual_address
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
    """Those of the given providers that are not at their usual address, by name."""
    usual = at_usual_address(base_urls)
    return tuple(
        Address(name=name, url=url, usual=DEFAULT_UPSTREAMS[name].base_url if name in DEFAULT_UPSTREAMS else None)
        for name, url in sorted(base_urls.items())
        if name not in usual
    )


def address_lines(addresses: tuple[Address, ...]) -> list[str]:
    """The addresses as a list; they are never wrapped, so that each can be read and copied whole."""
    name = max((len(address.name) for address in addresses), default=0)
    width = max((len(address.url) for address in addresses), default=0)
    return [line for address in addresses for line in address.lines(name, width)]


def require_encrypted(policy: Policy) -> None:
    """Refuse a policy that sends keys and prompts in clear beyond this computer.

    Raises:
        SessionError: it does.
    """
    for name, url in sorted(policy.providers.items()):
        if urlsplit(url).scheme != "https" and not is_loopback(url):
            raise SessionError(
                f"the policy sends the traffic of {name} to {url} without encryption",
                hint=f"Nothing was changed. Tell {one_line(policy.organisation)} that it needs https.",
                code="plain_http",
            )
