"""The forwarder: accepts agents on a loopback socket, forwards to the provider first, lets observers see it behind."""

from __future__ import annotations

from promptster.proxy.observation import Headers, Observer, Outcome, RequestInfo
from promptster.proxy.outbound import Outbound
from promptster.proxy.upstreams import DEFAULT_UPSTREAMS, Upstream

__all__ = ["DEFAULT_UPSTREAMS", "Headers", "Observer", "Outbound", "Outcome", "RequestInfo", "Upstream"]
