"""Routes by which anybody can watch the log: its newest checkpoint, and proofs that it only grew.

They name nobody and nothing but hashes, so they ask for no credential. What they cost does not grow with the log: a
proof reads at most as many stored nodes as the log's size has bits, twice over. A checkpoint that is handed in speaks
for itself: this collector signed it.
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
from promptster_collector.ingest.transparency_log import TransparencyLog


@dataclass(frozen=True, kw_only=True)
class ConsistencyAnswer:
    """The hashes by which a larger tree of one log begins with a smaller one; see RFC 9162, 2.1.4."""

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
    """A checkpoint that somebody was shown."""

    note: str
    """The signed note's exact text."""


@dataclass(frozen=True, kw_only=True)
class StandingAnswer:
    """How it stood to the log when it came."""

    standing: str
    """``known``, ``newer`` than what is stored here, or ``contradicted`` by that."""


@post("/v1/log/checkpoint", opt={ACCESS: SIGNED}, status_code=200)
async def hand_in_checkpoint(
    request: Request[Any, Any, Any], receipt_log: NamedDependency[TransparencyLog], data: JSONBody[CheckpointHandedIn]
) -> StandingAnswer:
    """Take a checkpoint of this log; one that the log does not continue ends it, and another one is begun with it."""
    standing = await receipt_log.hand_in(data.note, sender=sender_of(request))
    return StandingAnswer(standing=standing.value)


@get("/v1/log/consistency", opt={ACCESS: ANYONE})
async def log_consistency(
    receipt_log: NamedDependency[TransparencyLog],
    old: Annotated[int, QueryParameter(name="from", description="size of the smaller tree, from 1")],
    new: Annotated[int, QueryParameter(name="to", description="size of the larger tree, at most the log's own")],
) -> ConsistencyAnswer:
    """The proof that the log's first ``to`` entries begin with its first ``from``; the log is the newest one."""
    found = await asyncio.to_thread(receipt_log.ask, lambda connection: receipt_log.consistency(connection, old, new))
    return ConsistencyAnswer(
        origin=found.origin, old=found.old, new=found.new, proof=[b64u_encode(item) for item in found.proof]
    )


ROUTES = [log_checkpoint, hand_in_checkpoint, log_consistency]
