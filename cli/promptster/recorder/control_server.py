"""The recorder's end of ``control.sock``: each request is one JSON line, and so is each answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from promptster.errors import PromptsterError
from promptster.private import peer_pid
from promptster.recorder.unix_accept import accept_for_ever
from promptster.session_folder.control_calls import read_call
from promptster.session_folder.control_client import LINE_LIMIT

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from promptster.recorder.process_log import Log
    from promptster.session_folder.control_calls import ControlCall
    from promptster.session_folder.control_messages import Reply

    Handler = Callable[[ControlCall], Awaitable[Reply]]
    Check = Callable[[ControlCall, int], Awaitable[None]]


class ControlServer:
    """Answers the requests of Promptster's own commands."""

    def __init__(self, sock: socket.socket, answer: Handler, log: Log, check: Check | None = None) -> None:
        """Serve calls on a listening unix socket.

        Args:
            sock: where commands connect.
            answer: carries out a call.
            log: where faults are logged.
            check: runs before each call, with the id of the requesting process; raises to refuse the call.
        """
        self._sock, self._handler, self._log, self._check = sock, answer, log, check

    async def run(self) -> None:
        """Accept connections until cancelled; the socket then stays open, as it belongs to the supervisor."""
        await accept_for_ever(self._sock, self._serve, self._log, name="control accept")

    async def _serve(self, connection: socket.socket) -> None:
        asking = peer_pid(connection)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LINE_LIMIT)
        try:
            while line := await reader.readline():
                answer = await self._answer(line, asking)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # the client is gone, or sent a line over the limit
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes, asking: int) -> dict[str, Any]:
        try:
            call = read_call(json.loads(line))
            if self._check is not None:
                await self._check(call, asking)
            return {"ok": True, **(await self._handler(call)).document()}
        except PromptsterError as error:
            return _refusal(error.code, error.message, error.hint)
        except (ValueError, KeyError, TypeError) as error:
            self._log.fault("control request", error)
            return _refusal("bad_request", "the recorder could not read the request", None)
        except Exception as error:  # noqa: BLE001 - a command gets an answer whatever happens
            self._log.fault("control", error)
            hint = (
                "Run `promptster resume`. For details, see logs/recorder.log in the state_dir of "
                "`promptster status --json`."
            )
            return _refusal("internal", "the recorder failed to answer", hint)


def _refusal(code: str, message: str, hint: str | None) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message, "hint": hint}}
