"""Routes that erase a session: by the candidate's signed withdrawal, or by anyone who may delete it."""

from typing import Any

from litestar import Request, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from promptster.protocol.privacy import TombstoneOutcome
from promptster.protocol.signing import Envelope
from promptster_collector.access.guard import ACCESS, principal_of
from promptster_collector.access.principal import ERASERS, SIGNED
from promptster_collector.access.rate_limits import sender_of
from promptster_collector.privacy.erasure import Erasure
from promptster_collector.privacy.schemas import TombstoneAnswer, WithdrawalRequest


@post("/v1/sessions/{session:str}/withdraw", opt={ACCESS: SIGNED}, status_code=200)
async def withdraw_session(
    request: Request[Any, Any, Any],
    erasure: NamedDependency[Erasure],
    session: FromPath[str],
    data: JSONBody[WithdrawalRequest],
) -> TombstoneAnswer:
    """Destroy the session's keys and content; the answer is the signed tombstone, even when repeated.

    A submitted tombstone that this collector signed does the same: whatever backup the collector was restored
    from, it destroys again what it destroyed before.
    """
    signed = data.payload is not None or data.signature is not None or data.tombstone is None
    withdrawal = Envelope.from_json({"payload": data.payload, "signature": data.signature}) if signed else None
    stone = None if data.tombstone is None else Envelope.from_json(data.tombstone)
    tombstone = await erasure.withdraw(session, withdrawal, stone, sender=sender_of(request))
    return TombstoneAnswer(tombstone=tombstone.to_json())


@delete("/v1/sessions/{session:str}", opt={ACCESS: ERASERS}, status_code=200)
async def delete_session(
    request: Request[Any, Any, Any], erasure: NamedDependency[Erasure], session: FromPath[str]
) -> TombstoneAnswer:
    """Destroy a session's keys and content, even after it was submitted; the answer is the signed tombstone."""
    principal = principal_of(request)
    outcome = TombstoneOutcome.WITHDRAWN if principal.role is None else TombstoneOutcome.ERASED
    envelope = await erasure.erase(principal.organisation, session, outcome)
    return TombstoneAnswer(tombstone=envelope.to_json())


ROUTES = [withdraw_session, delete_session]
