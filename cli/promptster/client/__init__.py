"""The collector's HTTP API: a blocking client for commands and an asynchronous one for the uploader.

Every refusal raises a ``CollectorRefusedError`` with the problem document, and every missing answer a
``CollectorUnreachableError``. Nothing is retried here, because only the caller knows whether a second call is safe. The
size of answers is limited.
"""

from __future__ import annotations

from promptster.client.asynchronous import AsyncCollectorClient
from promptster.client.blocking import CollectorClient
from promptster.client.calls import Assessment, PutAnswer, ReceivedInvite, RedeemAnswer
from promptster.client.refusals import (
    CollectorAnswerError,
    CollectorRefusedError,
    CollectorUnreachableError,
    SignInRejectedError,
    TokenExpiredError,
    TokenRevokedError,
)

__all__ = [
    "Assessment",
    "AsyncCollectorClient",
    "CollectorAnswerError",
    "CollectorClient",
    "CollectorRefusedError",
    "CollectorUnreachableError",
    "PutAnswer",
    "ReceivedInvite",
    "RedeemAnswer",
    "SignInRejectedError",
    "TokenExpiredError",
    "TokenRevokedError",
]
