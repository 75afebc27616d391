"""The recorder's answers: one class per request, each read field by field.

A recorder of another version may answer with something else. The command then ends with an error before it acts on an
answer that it misread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from promptster.errors import SessionError
from promptster.session_folder.control_calls import OTHER_VERSION
from promptster.session_folder.folder import SessionState

_T = TypeVar("_T")


class AnswerError(SessionError):
    """The recorder's answer does not fit the request."""

    default_code = "recorder_answer"


class AnswerFields:
    """One answer, read by name and type."""

    def __init__(self, value: object) -> None:
        """Take a value read from JSON.

        Raises:
            AnswerError: it is not an object.
        """
        if not isinstance(value, dict):
            raise malformed("not an object")
        self._values = cast("dict[str, Any]", value)

    def number(self, name: str, default: int | None = None) -> int:
        """Return a non-negative whole number."""
        return self._read(name, default, _number)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        return self._read(name, default, _text)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        return self._read(name, default, _flag)

    def numbers(self, name: str) -> Mapping[str, int]:
        """Return whole numbers by name."""
        return self._read(name, None, lambda value: {key: _number(one) for key, one in _table(value).items()})

    def texts(self, name: str) -> Mapping[str, str]:
        """Return texts by name."""
        return self._read(name, None, lambda value: {key: _text(one) for key, one in _table(value).items()})

    def words(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts."""
        return self._read(name, default, lambda value: tuple(_text(one) for one in _list(value)))

    def seqs(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        return self._read(name, None, lambda value: tuple(_number(one) for one in _list(value)))

    def table(self, name: str) -> Mapping[str, Any]:
        """Return an object whose values the caller reads; empty if it is missing."""
        return self._read(name, {}, _table)

    def inner(self, name: str) -> AnswerFields | None:
        """Return an inner object; ``None`` if it is null, empty or missing."""
        value = self._values.get(name)
        return AnswerFields(value) if value is not None and value != {} else None

    def known(self, name: str) -> bool:
        """Return whether this name has a value other than null."""
        return self._values.get(name) is not None

    def require(self, *names: str) -> None:
        """Require that all of these names are present, even if null."""
        for name in names:
            if name not in self._values:
                raise malformed(name)

    def _read(self, name: str, default: _T | None, read: Callable[[Any], _T]) -> _T:
        if name not in self._values and default is not None:
            return default
        try:
            return read(self._values[name])
        except (KeyError, TypeError, ValueError):
            raise malformed(name) from None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to one request."""

    def document(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
    batches: Mapping[str, int]
    """``sealed`` and ``received``: numbers of batches."""
    sources: Mapping[str, int]
    """Events by source."""
    dropped: Mapping[str, int]
    """Not recorded, by reason: ``policy``, ``paused``, ``time_limit``, ``overload``."""
    collector: Mapping[str, Any]
    """``reachable`` (null before the first try), ``last_error`` (a code or null) and ``refused`` (null, or ``code``
    and ``message`` of a final refusal: nothing more is sent until the candidate asks for it)."""
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
    path_check: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By provider: whether an unauthenticated request through the proxy was answered."""
    last: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What an agent did last, see ``promptster.recorder.last_activity``; empty until an agent's first event."""
    paused_ms: int = 0
    """Wall clock at which the current pause began; 0 if there is none."""

    @property
    def refused(self) -> Mapping[str, str] | None:
        """``code`` and ``message`` of a final refusal, after which nothing more is sent."""
        return self.collector.get("refused")

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
            batches=answer.numbers("batches"),
            sources=answer.numbers("sources"),
            dropped=answer.numbers("dropped"),
            collector=_collector(answer.inner("collector")),
            port=answer.number("port"),
            record_until=answer.number("record_until"),
            upload_until=answer.number("upload_until"),
            restarts=answer.number("restarts"),
            silent_hooks=answer.words("silent_hooks", ()),
            degraded=answer.words("degraded", ()),
            supervised=answer.flag("supervised", default=True),
            path_check=answer.table("path_check"),
            last=_last(answer.inner("last")),
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


def malformed(what: str) -> AnswerError:
    """Return the error for an answer in which this part is wrong."""
    return AnswerError(
        f"the recorder's answer cannot be read ({what})",
        hint=OTHER_VERSION,
    )


def _collector(answer: AnswerFields | None) -> Mapping[str, Any]:
    if answer is None:
        raise malformed("collector")
    answer.require("reachable", "last_error", "refused")
    refused = answer.inner("refused")
    return {
        "reachable": answer.flag("reachable") if answer.known("reachable") else None,
        "last_error": answer.text("last_error") if answer.known("last_error") else None,
        "refused": None if refused is None else {"code": refused.text("code"), "message": refused.text("message")},
    }


def _last(answer: AnswerFields | None) -> Mapping[str, Any]:
    if answer is None:
        return {}
    return {
        "kind": answer.text("kind"),
        "ms": answer.number("ms"),
        "agent": answer.text("agent"),
        "subject": answer.text("subject"),
    }


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return cast("dict[str, Any]", value)


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError
    return cast("Sequence[Any]", value)
