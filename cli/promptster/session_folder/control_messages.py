"""What the recorder answers, as types: one for each request, read field by field.

A recorder of another version, or a fault of ours, may answer with something else. The command then ends with an error
that says so, before it acts on what it misread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from promptster.errors import SessionError
from promptster.session_folder.folder import SessionState

_T = TypeVar("_T")


class AnswerError(SessionError):
    """The recorder's answer does not fit the request."""

    default_code = "recorder_answer"


class Answer:
    """One answer, read by name and type."""

    def __init__(self, value: object) -> None:
        """Take a value read from JSON.

        Raises:
            AnswerError: it is no object.
        """
        if not isinstance(value, dict):
            raise malformed("no object")
        self._values = cast("dict[str, Any]", value)

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number that is not negative."""
        return self._read(name, default, _number)

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return self._read(name, default, _text)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """True or false."""
        return self._read(name, default, _flag)

    def numbers(self, name: str) -> Mapping[str, int]:
        """Whole numbers by name."""
        return self._read(name, None, lambda value: {key: _number(one) for key, one in _table(value).items()})

    def texts(self, name: str) -> Mapping[str, str]:
        """Texts by name."""
        return self._read(name, None, lambda value: {key: _text(one) for key, one in _table(value).items()})

    def words(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        return self._read(name, default, lambda value: tuple(_text(one) for one in _list(value)))

    def seqs(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        return self._read(name, None, lambda value: tuple(_number(one) for one in _list(value)))

    def table(self, name: str) -> Mapping[str, Any]:
        """An object whose values are read elsewhere; empty if it is not there."""
        return self._read(name, {}, _table)

    def inner(self, name: str) -> Answer | None:
        """An object inside; ``None`` if it is null, empty or not there."""
        value = self._values.get(name)
        return Answer(value) if value is not None and value != {} else None

    def known(self, name: str) -> bool:
        """Whether something is told under this name that is not null."""
        return self._values.get(name) is not None

    def require(self, *names: str) -> None:
        """See that all of these are told, be it as null."""
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
    """What comes back for one call."""

    def document(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Done(Reply):
    """To ``StopCall``."""


@dataclass(frozen=True, kw_only=True)
class Recorded(Reply):
    """To ``RecordCall``."""

    seqs: tuple[int, ...]

    @classmethod
    def read(cls, answer: Answer) -> Recorded:
        """Read an answer."""
        return cls(seqs=answer.seqs("seqs"))


@dataclass(frozen=True, kw_only=True)
class Noted(Reply):
    """To ``PauseCall`` and ``ResumeCall``: the sequence number of the event that says so."""

    seq: int

    @classmethod
    def read(cls, answer: Answer) -> Noted:
        """Read an answer."""
        return cls(seq=answer.number("seq"))


@dataclass(frozen=True, kw_only=True)
class Closed(Reply):
    """To ``CloseCall``: the number of all events."""

    events: int

    @classmethod
    def read(cls, answer: Answer) -> Closed:
        """Read an answer."""
        return cls(events=answer.number("events"))


@dataclass(frozen=True, kw_only=True)
class Flushed(Reply):
    """To ``FlushCall``, in events."""

    received: int
    events: int

    @classmethod
    def read(cls, answer: Answer) -> Flushed:
        """Read an answer."""
        return cls(received=answer.number("received"), events=answer.number("events"))


@dataclass(frozen=True, kw_only=True)
class Refused(Reply):
    """To ``RefusedCall``: whether the refusal is on record."""

    recorded: bool

    @classmethod
    def read(cls, answer: Answer) -> Refused:
        """Read an answer."""
        return cls(recorded=answer.flag("recorded"))


@dataclass(frozen=True, kw_only=True)
class RecorderStatus(Reply):
    """What the recorder says of itself. Counts are events unless said otherwise."""

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
    """Agents whose hooks were expected and did not come."""
    degraded: tuple[str, ...] = ()
    """What is not recorded in full at the moment: ``disk_nearly_full``, ``disk_failing``, ``time_limit``."""
    supervised: bool = True
    """Whether the supervisor that started this recorder still runs."""
    path_check: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By provider: whether an unauthenticated request through the proxy came back."""
    last: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What an agent did last, see ``promptster.recorder.last_activity``; empty while nothing was recorded of one."""
    paused_ms: int = 0
    """Wall clock at which the current pause began; 0 if there is none."""

    @property
    def refused(self) -> Mapping[str, str] | None:
        """``code`` and ``message`` of a refusal for good, after which nothing more is sent."""
        return self.collector.get("refused")

    @classmethod
    def read(cls, answer: Answer) -> RecorderStatus:
        """Read an answer; fields of a newer recorder are left aside.

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

    ``token`` is a secret: it belongs into 0600 files and environments, never into arguments.
    """

    port: int
    token: str
    base_urls: Mapping[str, str]
    """By an agent's id, where its usual provider is; by a provider's name, where that one is.

    The token is in the path for agents that can send no header of ours.
    """
    usual_addresses: tuple[str, ...]
    """Upstreams that the recorder reaches where everybody does: their names."""
    hook_socket: str
    spool: str
    """The folder where hook processes leave what they could not hand over."""

    def hook_url(self, agent: str) -> str:
        """Where the HTTP hooks of the agent of this id post to; the token goes into a header."""
        return f"http://127.0.0.1:{self.port}/hooks/{agent}"

    @classmethod
    def read(cls, answer: Answer) -> LaunchTicket:
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
    """The error for an answer in which this is wrong."""
    return AnswerError(
        f"the recorder's answer cannot be read ({what})",
        hint="It may be another version of Promptster. End its process, then run `promptster resume`.",
    )


def _collector(answer: Answer | None) -> Mapping[str, Any]:
    if answer is None:
        raise malformed("collector")
    answer.require("reachable", "last_error", "refused")
    refused = answer.inner("refused")
    return {
        "reachable": answer.flag("reachable") if answer.known("reachable") else None,
        "last_error": answer.text("last_error") if answer.known("last_error") else None,
        "refused": None if refused is None else {"code": refused.text("code"), "message": refused.text("message")},
    }


def _last(answer: Answer | None) -> Mapping[str, Any]:
    if answer is None:
        return {}
    told = {name: answer.text(name) for name in ("kind", "agent", "subject")}
    return {"kind": told["kind"], "ms": answer.number("ms"), "agent": told["agent"], "subject": told["subject"]}


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
