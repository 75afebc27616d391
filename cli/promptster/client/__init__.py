"""The collector's HTTP API as calls, blocking for commands and asynchronous for the uploader.

Every refusal becomes a ``RefusedError`` that carries the problem document, every failure to get an answer an
``UnreachableError``. Nothing is retried here: who calls knows whether a second call is safe. Answers are bounded.
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
