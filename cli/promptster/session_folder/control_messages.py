"""The recorder's answers: one class per request, each read field by field.

A recorder of another version may answer with something else. The command then ends with an error before it acts on an
answer that it misread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from typing_extensions import override

from promptster.session_folder.answer_fields import AnswerFields, malformed
from promptster.session_folder.choices import PathCheck
from promptster.session_folder.folder import SessionState


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to one request."""

    def document(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class StopReply(Reply):
    """The answer to ``StopCall``."""


@dataclass(frozen=True, kw_only=True)
class RecordReply(Reply):
    """The answer to ``RecordCall``: the sequence numbers of the events."""

    seqs: tuple[int, ...]

    @classmethod
    def read(cls, answer: AnswerFields) -> RecordReply:
        """Read an answer."""
        return cls(seqs=answer.seqs("seqs"))


@dataclass(frozen=True, kw_only=True)
class StateReply(Reply):
    """The answer to ``PauseCall`` and ``ResumeCall``: the sequence number of the event for that."""

    seq: int

    @classmethod
    def read(cls, answer: AnswerFields) -> StateReply:
        """Read an answer."""
        return cls(seq=answer.number("seq"))


@dataclass(frozen=True, kw_only=True)
class CloseReply(Reply):
    """The answer to ``CloseCall``: the number of all events."""

    events: int

    @classmethod
    def read(cls, answer: AnswerFields) -> CloseReply:
        """Read an answer."""
        return cls(events=answer.number("events"))


@dataclass(frozen=True, kw_only=True)
class FlushReply(Reply):
    """The answer to ``FlushCall``, in events."""

    received: int
    events: int

    @classmethod
    def read(cls, answer: AnswerFields) -> FlushReply:
        """Read an answer."""
        return cls(received=answer.number("received"), events=answer.number("events"))


@dataclass(frozen=True, kw_only=True)
class RefusedReply(Reply):
    """The answer to ``RefusedCall``: whether the refusal was recorded."""

    recorded: bool

    @classmethod
    def read(cls, answer: AnswerFields) -> RefusedReply:
        """Read an answer."""
        return cls(recorded=answer.flag("recorded"))


@dataclass(frozen=True, kw_only=True)
class BatchCounts:
    """Numbers of batches."""

    sealed: int
    received: int
    """Of these, acknowledged by a receipt of the collector."""

    @classmethod
    def read(cls, answer: AnswerFields | None) -> BatchCounts:
        """Read a part of an answer."""
        if answer is None:
            raise malformed("batches")
        return cls(sealed=answer.number("sealed"), received=answer.number("received"))


@dataclass(frozen=True, kw_only=True)
class FinalRefusal:
    """A final refusal of the collector: nothing more is sent until the candidate asks for it."""

    code: str
    message: str

    @classmethod
    def read(cls, answer: AnswerFields | None) -> FinalRefusal | None:
        """Read a part of an answer."""
        return None if answer is None else cls(code=answer.text("code"), message=answer.text("message"))


@dataclass(frozen=True, kw_only=True)
class CollectorStatus:
    """How the collector answers the recorder."""

    reachable: bool | None
    """``None`` before the first try."""
    last_error: str | None
    """The code of the last refusal or failure; ``None`` after a success."""
    refused: FinalRefusal | None

    @classmethod
    def read(cls, answer: AnswerFields | None) -> CollectorStatus:
        """Read a part of an answer."""
        if answer is None:
            raise malformed("collector")
        answer.require("reachable", "last_error", "refused")
        return cls(
            reachable=answer.flag("reachable") if answer.known("reachable") else None,
            last_error=answer.text("last_error") if answer.known("last_error") else None,
            refused=FinalRefusal.read(answer.inner("refused")),
        )


@dataclass(frozen=True, kw_only=True)
class LastAction:
    """What an agent did last."""

    kind: str
    """The kind of the event; a newer recorder may know more kinds."""
    ms: int
    agent: str
    """Empty if it is not known."""
    subject: str
    """What the agent acted on, in one line; empty if there is nothing to name."""

    @classmethod
    def read(cls, answer: AnswerFields | None) -> LastAction | None:
        """Read a part of an answer."""
        if answer is None:
            return None
        return cls(
            kind=answer.text("kind"),
            ms=answer.number("ms"),
            agent=answer.text("agent"),
            subject=answer.text("subject"),
        )


@dataclass(frozen=True, kw_only=True)
class RecorderStatus(Reply):
    """The recorder's status. Counts are events unless stated otherwise."""

    session: str
    state: SessionState
    events: int
    """Recorded so far."""
    durable: int
    """Of these, on disk."""
    received: int
    """Of these, acknowledged by a receipt of the collector."""
    checked: int
    """Of these, opened and found sound by the collector."""
    batches: BatchCounts
    sources: Mapping[str, int]
    """Events by source."""
    dropped: Mapping[str, int]
    """Not recorded, by reason: ``policy``, ``paused``, ``time_limit``, ``overload``."""
    collector: CollectorStatus
    port: int
    record_until: int
    upload_until: int
    restarts: int
    """How often the supervisor had to start the recorder again."""
    silent_hooks: tuple[str, ...] = ()
    """Agents whose hooks were expected, but did not report."""
    degraded: tuple[str, ...] = ()
    """What is not recorded in full at the moment: ``disk_nearly_full``, ``disk_failing``, ``time_limit``."""
    supervised: bool = True
    """Whether the supervisor that started this recorder still runs."""
    path_check: Mapping[str, PathCheck] = field(default_factory=dict[str, PathCheck])
    """By provider: whether an unauthenticated request through the proxy was answered."""
    last: LastAction | None = None
    """What an agent did last; ``None`` until an agent's first event."""
    paused_ms: int = 0
    """Wall clock at which the current pause began; 0 if there is none."""

    @override
    def document(self) -> dict[str, Any]:
        document = super().document()
        return document if self.last is not None else {**document, "last": {}}

    @classmethod
    def read(cls, answer: AnswerFields) -> RecorderStatus:
        """Read an answer; fields of a newer version are ignored.

        Raises:
            AnswerError: a field is missing, or is not what it should be.
        """
        state = answer.text("state")
        if state not in set(SessionState):
            raise malformed("state")
        return cls(
            session=answer.text("session"),
            state=SessionState(state),
            events=answer.number("events"),
            durable=answer.number("durable"),
            received=answer.number("received"),
            checked=answer.number("checked"),
            batches=BatchCounts.read(answer.inner("batches")),
            sources=answer.numbers("sources"),
            dropped=answer.numbers("dropped"),
            collector=CollectorStatus.read(answer.inner("collector")),
            port=answer.number("port"),
            record_until=answer.number("record_until"),
            upload_until=answer.number("upload_until"),
            restarts=answer.number("restarts"),
            silent_hooks=answer.words("silent_hooks", ()),
            degraded=answer.words("degraded", ()),
            supervised=answer.flag("supervised", default=True),
            path_check=answer.checks("path_check"),
            last=LastAction.read(answer.inner("last")),
            paused_ms=answer.number("paused_ms", 0),
        )


@dataclass(frozen=True, kw_only=True)
class LaunchTicket(Reply):
    """What a launcher needs to connect an agent to the recorder.

    ``token`` is a secret: it may be in 0600 files and environments, but never in arguments.
    """

    port: int
    token: str
    base_urls: Mapping[str, str]
    """By an agent's id, the address for its usual provider; by a provider's name, the address for that one.

    The path contains the token for agents that cannot send a header of ours. Their addresses for other providers are
    named ``ID/PROVIDER``.
    """
    usual_addresses: tuple[str, ...]
    """Names of the upstreams that are at their usual address."""
    hook_socket: str
    spool: str
    """The folder where hook processes save what they could not deliver."""

    def hook_url(self, agent: str) -> str:
        """Return the URL to which an agent's HTTP hooks post; the token goes into a header."""
        return f"http://127.0.0.1:{self.port}/hooks/{agent}"

    def require_addresses(self, names: Iterable[str]) -> None:
        """Return if there is a base URL of each name.

        Raises:
            AnswerError: one is missing: a recorder of an earlier version does not know the agent.
        """
        missing = next((name for name in names if name not in self.base_urls), None)
        if missing is not None:
            raise malformed(f"base_urls: {missing}")

    @classmethod
    def read(cls, answer: AnswerFields) -> LaunchTicket:
        """Read an answer.

        Raises:
            AnswerError: a field is missing, or is not what it should be.
        """
        return cls(
            port=answer.number("port"),
            token=answer.text("token"),
            base_urls=answer.texts("base_urls"),
            usual_addresses=answer.words("usual_addresses"),
            hook_socket=answer.text("hook_socket"),
            spool=answer.text("spool"),
        )
