"""The route by which a candidate takes consent back."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from promptster.protocol.signing import Envelope
from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import SIGNED
from promptster_collector.privacy.erasure import Erasure
from promptster_collector.privacy.schemas import TombstoneAnswer, WithdrawalRequest


@post("/v1/sessions/{session:str}/withdraw", opt={ACCESS: SIGNED}, status_code=200)
async def withdraw_session(
    erasure: NamedDependency[Erasure], session: FromPath[str], data: JSONBody[WithdrawalRequest]
) -> TombstoneAnswer:
    """Destroy the session's keys and content; the answer is the signed tombstone, also the second time."""
    envelope = Envelope.from_json({"payload": data.payload, "signature": data.signature})
    return TombstoneAnswer(tombstone=(await erasure.withdraw(session, envelope)).to_json())


ROUTES = [withdraw_session]
