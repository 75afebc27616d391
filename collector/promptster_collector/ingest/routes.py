"""The route that takes batches."""

from typing import Any

from litestar import MediaType, Request, Response, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from promptster.protocol.batch import MAX_WIRE
from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import SIGNED
from promptster_collector.ingest.service import Ingest, Taken

CHECKED_HEADER = "promptster-checked"
"""Highest batch number that was opened and checked; missing while there is none."""
RECEIPT_HEADER = "promptster-receipt"
"""An earlier receipt's exact bytes in base64url, from a sender whose collector was restored."""


def _response(taken: Taken) -> Response[bytes]:
    headers = {CHECKED_HEADER: str(taken.checked_n)} if taken.checked_n >= 0 else None
    return Response(taken.receipt, media_type=MediaType.JSON, headers=headers)


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
    await ingest.admit(session)
    wire = await request.body()
    return _response(await ingest.put(session, n, wire, earlier_receipt=request.headers.get(RECEIPT_HEADER)))


ROUTES = [put_batch]
