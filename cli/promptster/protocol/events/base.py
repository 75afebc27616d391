"""What every kind of event has in common: a frozen class whose attributes are its fields.

An attribute that is ``None`` is a field that the event does not have: nothing of it is written, and of a field whose
value was taken away nothing is read. A misspelled field is an error of the type checker, and of the constructor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, dataclass_transform

from msgspec import Struct, StructMeta

Json: TypeAlias = object
"""A JSON value, as an agent or a provider sent it."""

FieldType: TypeAlias = Literal["text", "json", "int", "bool", "bytes"]
"""How a field's value is written."""

_TYPES: Final[Mapping[str, FieldType]] = MappingProxyType(
    {"str | None": "text", "int | None": "int", "bool | None": "bool", "bytes | None": "bytes", "Json": "json"}
)
"""What an annotation says, as it is written: evaluating all of them would cost every start more than the classes do."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class EventType(StructMeta):
    """Says to type checkers once that every kind of event is frozen and built from keywords."""


class Recorded(
    Struct,
    metaclass=EventType,
    frozen=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    tag_field="kind",
):
    """What an event says, without its place in the session."""

    @property
    def kind(self) -> str:
        """The event's kind, as on the wire."""
        return str(self.__struct_config__.tag)


class OfAgent(Recorded):
    """What an agent did, as that agent names itself, its session and its subagent."""

    agent: str | None = None
    """The agent's short name."""
    agent_session: str | None = None
    """The agent's own id of the conversation."""
    agent_id: str | None = None
    """The subagent's id."""


@cache
def field_names(event_type: type[Recorded]) -> tuple[str, ...]:
    """The names of an event type's fields, sorted."""
    return tuple(sorted(event_type.__struct_fields__))


def fields_of(event: Recorded) -> dict[str, Any]:
    """The fields that an event has, by name."""
    return {name: value for name in field_names(type(event)) if (value := getattr(event, name)) is not None}


def _annotations(written: type) -> Mapping[str, str]:
    """A class's own annotations, as they are written."""
    return {name: str(text) for name, text in vars(written).get("__annotations__", {}).items()}


def field_types(event_types: Mapping[str, type[Recorded]]) -> dict[str, FieldType]:
    """The type of every field of these kinds, by name.

    Raises:
        TypeError: when a field has a type that cannot be written, or one name has two types.
    """
    found: dict[str, FieldType] = {}
    for kind, event_type in event_types.items():
        written = {name: text for each in event_type.__mro__ for name, text in _annotations(each).items()}
        for name in field_names(event_type):
            field_type = _TYPES.get(written[name])
            if field_type is None or found.setdefault(name, field_type) != field_type:
                raise TypeError(f"{kind}.{name} has another type than a field can have, or than it has elsewhere")
    return dict(sorted(found.items()))
