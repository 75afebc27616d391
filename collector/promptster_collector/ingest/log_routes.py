"""Routes for watching the log: its newest checkpoint, and proofs that it only grew.

They return only hashes, so they need no credential. Their cost does not grow with the log: a proof reads at most twice
as many stored nodes as the log's size has bits. A submitted checkpoint needs no credential because it is signed.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from promptster.protocol.encoding import b64u_encode
from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import ANYONE, SIGNED
from promptster_collector.access.rate_limits import sender_of
from promptster_collector.ingest.receipt_log import TransparencyLog


@dataclass(frozen=True, kw_only=True)
class ConsistencyAnswer:
    """The proof that a larger tree of one log begins with a smaller one; see RFC 9162, 2.1.4."""

    origin: str
    old: int
    new: int
    proof: list[str]
    """Base64url, in the order of the RFC."""


@get("/v1/log/checkpoint", opt={ACCESS: ANYONE}, media_type=MediaType.TEXT)
async def log_checkpoint(receipt_log: NamedDependency[TransparencyLog]) -> Response[str]:
    """The log's newest checkpoint, a signed note's exact text."""
    note = await asyncio.to_thread(receipt_log.ask, receipt_log.newest)
    return Response(note, media_type=MediaType.TEXT)


@dataclass(frozen=True, kw_only=True)
class CheckpointHandedIn:
    """A checkpoint that someone received earlier."""

    note: str
    """The signed note's exact text."""


@dataclass(frozen=True, kw_only=True)
class StandingAnswer:
    """How the checkpoint related to the log."""

    standing: str
    """``known``, ``newer`` than the stored log, or ``contradicted`` by it."""


@post("/v1/log/checkpoint", opt={ACCESS: SIGNED}, status_code=200)
async def hand_in_checkpoint(
    request: Request[Any, Any, Any], receipt_log: NamedDependency[TransparencyLog], data: JSONBody[CheckpointHandedIn]
) -> StandingAnswer:
    """Submit a checkpoint of this log; if the log does not continue it, a new log is started from it."""
    standing = await receipt_log.submit_checkpoint(data.note, sender=sender_of(request))
    return StandingAnswer(standing=standing.value)


@get("/v1/log/consistency", opt={ACCESS: ANYONE})
async def log_consistency(
    receipt_log: NamedDependency[TransparencyLog],
    old: Annotated[int, QueryParameter(name="from", description="size of the smaller tree, from 1")],
    new: Annotated[int, QueryParameter(name="to", description="size of the larger tree, at most the log's own")],
) -> ConsistencyAnswer:
    """The proof that the newest log's first ``to`` entries begin with its first ``from``."""
    found = await asyncio.to_thread(receipt_log.ask, lambda connection: receipt_log.consistency(connection, old, new))
    return ConsistencyAnswer(
        origin=found.origin, old=found.old, new=found.new, proof=[b64u_encode(item) for item in found.proof]
    )


ROUTES = [log_checkpoint, hand_in_checkpoint, log_consistency]
