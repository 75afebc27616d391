"""The requests that commands send to the running recorder: one class per request, one JSON line each on the socket.

``promptster.session_folder.control_client`` sends them, ``promptster.recorder.control_server`` reads them. The answers
are in ``promptster.session_folder.control_messages``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast, get_args

from promptster.errors import SessionError

if TYPE_CHECKING:
    from promptster.protocol.events import Event, Source

OTHER_VERSION = "It may be another version of Promptster. Restart the computer, then run `promptster resume`."
"""The hint if command and recorder do not understand each other."""


@dataclass(frozen=True, kw_only=True)
class SentEvent:
    """An event of the session itself that a command has recorded."""

    src: Source
    event: Event

    def document(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        from promptster.protocol.events.base import fields_of  # noqa: PLC0415 - most commands send no event

        return {"src": self.src.value, "kind": self.event.kind, "fields": fields_of(self.event)}


@dataclass(frozen=True, kw_only=True)
class _Call:
    # A call without fields of its own is no dataclass of its own: each costs a third of a millisecond in every command.
    op: ClassVar[str]

    def document(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {"op": self.op, **{field.name: getattr(self, field.name) for field in fields(self)}}


class StatusCall(_Call):
    """Ask for the status of the recording. Answered by ``RecorderStatus``."""

    op = "status"


class LaunchCall(_Call):
    """Ask how an agent reaches the recorder. Answered by ``LaunchTicket``."""

    op = "launch"


@dataclass(frozen=True, kw_only=True)
class _CallWithEvents(_Call):
    drafts: Sequence[SentEvent]

    def document(self) -> dict[str, Any]:
        return {"op": self.op, "drafts": [sent.document() for sent in self.drafts]}


class RecordCall(_CallWithEvents):
    """Record these events. Answered by ``RecordReply`` once they are durable."""

    op = "record"


@dataclass(frozen=True, kw_only=True)
class _CallWithReason(_Call):
    reason: str = "candidate"


class PauseCall(_CallWithReason):
    """Record nothing of agents until ``ResumeCall``. Answered by ``StateReply``."""

    op = "pause"


class ResumeCall(_CallWithReason):
    """Record again. Answered by ``StateReply``."""

    op = "resume"


@dataclass(frozen=True, kw_only=True)
class CloseCall(_CallWithEvents):
    """Record the last events, end the recording and seal everything. Answered by ``CloseReply``."""

    op = "close"
    drafts: Sequence[SentEvent] = ()


@dataclass(frozen=True, kw_only=True)
class FlushCall(_Call):
    """Send what was recorded. Answered by ``FlushReply`` when everything is sent or the time is over."""

    op = "flush"
    seconds: float = 10.0
    again: bool = False
    """Whether to send also what the collector refused for good."""


@dataclass(frozen=True, kw_only=True)
class StopCall(_Call):
    """End recorder and supervisor. Answered by ``StopReply`` once the end is recorded."""

    op = "stop"
    withdrawn: bool = False
    """Whether consent was withdrawn, so that nothing more is written or sent."""
    for_another: bool = False
    """Whether the session itself continues, with another recorder."""


@dataclass(frozen=True, kw_only=True)
class RefusedCall(_Call):
    """Record that a command refused to work inside an agent. Answered by ``RefusedReply``."""

    op = "refused"
    command: str
    agent: str


ControlCall: TypeAlias = (
    StatusCall | LaunchCall | RecordCall | PauseCall | ResumeCall | CloseCall | FlushCall | StopCall | RefusedCall
)

_BY_OP: Mapping[str, type[ControlCall]] = {kind.op: kind for kind in get_args(ControlCall)}


def read_call(value: object) -> ControlCall:
    """Read a request from JSON values; fields of a newer version are ignored.

    Raises:
        SessionError: the request is unknown (``unknown_op``) or malformed (``bad_request``), or one of its events does
            not exist (``bad_draft``).
    """
    if not isinstance(value, dict) or not isinstance(op := cast("dict[str, Any]", value).get("op"), str):
        raise _unreadable()
    kind = _BY_OP.get(op)
    if kind is None:
        raise SessionError("the recorder does not know this request", hint=OTHER_VERSION, code="unknown_op")
    given = cast("dict[str, Any]", value)
    named = {field.name: given[field.name] for field in fields(kind) if field.name in given}
    if not all(_fits(name, content) for name, content in named.items()):
        raise _unreadable()
    if "drafts" in named:
        named["drafts"] = tuple(_read_event(draft) for draft in named["drafts"])
    try:
        return kind(**named)
    except TypeError:  # a field without a default is missing
        raise _unreadable() from None


def _fits(name: str, content: Any) -> bool:
    """Return whether a field's value has the type that all classes use for this name."""
    if name == "drafts":
        return isinstance(content, list) and all(isinstance(draft, dict) for draft in cast("list[object]", content))
    if name == "seconds":
        return isinstance(content, (int, float)) and not isinstance(content, bool)
    return isinstance(content, str if name in {"reason", "command", "agent"} else bool)


def _read_event(draft: Mapping[str, Any]) -> SentEvent:
    from promptster.protocol.errors import EventError  # noqa: PLC0415 - as in ``SentEvent``
    from promptster.protocol.events import FIELD_TYPES, Source  # noqa: PLC0415 - as above
    from promptster.protocol.events.kinds import event_of  # noqa: PLC0415 - as above
    from promptster.protocol.events.values import encode_value  # noqa: PLC0415 - as above

    src, kind, values = str(draft.get("src")), draft.get("kind"), draft.get("fields", {})
    if not isinstance(kind, str) or not isinstance(values, dict):
        raise SessionError("a command sent an event without a kind or without fields", code="bad_draft")
    fields_by_name = cast("dict[str, Any]", values)
    try:
        event = event_of(kind, fields_by_name)
        for name, value in fields_by_name.items():
            encode_value(FIELD_TYPES[name], value)
        return SentEvent(src=Source(src), event=event)
    except (EventError, ValueError) as error:
        raise SessionError(f"a command sent an event that does not exist: {error}", code="bad_draft") from error


def _unreadable() -> SessionError:
    return SessionError("the recorder could not read the request", code="bad_request")
