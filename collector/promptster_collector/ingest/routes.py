"""The route that receives batches."""

from typing import Any

from litestar import MediaType, Request, Response, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from promptster.protocol.batch import MAX_HEADER, MAX_WIRE
from promptster.protocol.signing import SIGNATURE_SIZE
from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import SIGNED
from promptster_collector.access.rate_limits import sender_of
from promptster_collector.ingest.service import Ingest, Taken

CHECKED_HEADER = "promptster-checked"
"""Highest batch number that was opened and checked; absent if there is none."""
RECEIPT_HEADER = "promptster-receipt"
"""An earlier receipt's exact bytes in base64url, from a sender whose collector was restored."""
_ENOUGH = 64 * 1024
"""Size in bytes up to which a batch is read as a whole before it is checked."""
_HEAD = 6 + MAX_HEADER + SIGNATURE_SIZE
"""The size of the longest head in bytes."""


def _response(taken: Taken) -> Response[bytes]:
    headers = {CHECKED_HEADER: str(taken.checked_n)} if taken.checked_n >= 0 else None
    return Response(taken.receipt, media_type=MediaType.JSON, headers=headers)


async def _whole(request: Request[Any, Any, Any], ingest: Ingest, session: str, n: int) -> bytes:
    """The request's body; the head of a large one is checked before the rest is read."""
    wire = bytearray()
    admitted = False
    async for piece in request.stream():
        wire += piece
        if piece and not admitted and len(wire) >= _ENOUGH:
            await ingest.admit(session, n, bytes(wire[:_HEAD]), sender=sender_of(request))
            admitted = True
    return bytes(wire)


@put(
    "/v1/sessions/{session:str}/batches/{n:int}",
    opt={ACCESS: SIGNED},
    request_max_body_size=MAX_WIRE,
    media_type=MediaType.JSON,
)
async def put_batch(
    request: Request[Any, Any, Any], ingest: NamedDependency[Ingest], session: FromPath[str], n: FromPath[int]
) -> Response[bytes]:
    """Store one signed, sealed batch; the answer is its receipt. Sending it again gets the same receipt."""
    wire = await _whole(request, ingest, session, n)
    earlier_receipt = request.headers.get(RECEIPT_HEADER)
    return _response(await ingest.put(session, n, wire, sender=sender_of(request), earlier_receipt=earlier_receipt))


ROUTES = [put_batch]
