"""The collector's HTTP API: a blocking client for commands and an asynchronous one for the uploader.

Every refusal raises a ``RefusedError`` with the problem document, every missing answer an ``UnreachableError``. Nothing
is retried here, because only the caller knows whether a second call is safe. The size of answers is limited.
"""

from __future__ import annotations

from promptster.client.asynchronous import AsyncCollectorClient
from promptster.client.blocking import CollectorClient
from promptster.client.calls import Assessment, InviteAnswer, PutAnswer, RedeemAnswer
from promptster.client.refusals import RefusedError, SignInRejectedError, UnreachableError

__all__ = [
    "Assessment",
    "AsyncCollectorClient",
    "CollectorClient",
    "InviteAnswer",
    "PutAnswer",
    "RedeemAnswer",
    "RefusedError",
    "SignInRejectedError",
    "UnreachableError",
]
