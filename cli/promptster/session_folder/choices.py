"""What the candidate chose at the start of a session, and what was found out then."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS = ("accept_provider", "hooks_only", "ide")


@dataclass(frozen=True, kw_only=True)
class PathCheck:
    """Whether a provider could be reached through the proxy."""

    ok: bool
    """Whether the provider sent any HTTP response."""
    status: int | None
    """The status of that response."""
    reason: str
    """Why there was none, for people; empty if there was one."""

    @classmethod
    def from_json(cls, value: object) -> PathCheck:
        """Read what ``to_json`` wrote; keys of a newer version are ignored.

        Raises:
            ValueError: a key is missing, or a value is not what it should be.
        """
        data = _table(value)
        ok, status, reason = data.get("ok"), data.get("status"), data.get("reason")
        if not isinstance(ok, bool) or not isinstance(reason, str):
            raise ValueError("not a check")  # noqa: TRY004 - it is about data, not about a caller's types
        if status is not None and (isinstance(status, bool) or not isinstance(status, int)):
            raise ValueError("not a status")
        return cls(ok=ok, status=status, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the candidate chose at the start, and whether the providers could be reached then."""

    ide: tuple[str, ...] = ()
    """The editors whose files are prepared, named as in ``start --ide``."""
    hooks_only: tuple[str, ...] = ()
    """The agents of which only hooks are recorded."""
    accept_provider: tuple[str, ...] = ()
    """The providers whose unusual address was accepted."""
    path_check: Mapping[str, PathCheck] = field(default_factory=dict[str, PathCheck])
    """By provider. Nobody chose this, so the recording has it separately."""

    def with_editor(self, ide: str) -> Choices:
        """Return the choices with one more editor."""
        return self if ide in self.ide else replace(self, ide=(*self.ide, ide))

    def chosen(self) -> dict[str, str]:
        """Return what the candidate chose as the consent and the session's first event contain it."""
        lists = {"accept_provider": self.accept_provider, "hooks_only": self.hooks_only, "ide": self.ide}
        return {name: ",".join(words) for name, words in lists.items() if words}

    def checks(self) -> dict[str, Any]:
        """Return the checks of the providers as plain JSON values."""
        return {name: check.to_json() for name, check in self.path_check.items()}

    @classmethod
    def from_json(cls, value: object) -> Choices:
        """Read what ``to_json`` wrote; keys of a newer version are ignored.

        Raises:
            ValueError: a value is not what it should be.
        """
        data = _table(value)
        lists = {name: _words(data.get(name, "")) for name in _LISTS}
        checks = _table(data.get("path_check", {}))
        return cls(**lists, path_check={name: PathCheck.from_json(check) for name, check in checks.items()})

    def to_json(self) -> dict[str, Any]:
        """Return the choices as plain JSON values."""
        return {**self.chosen(), "path_check": self.checks()}


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - likewise
    return cast("dict[str, object]", value)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - likewise
    return tuple(word for word in value.split(",") if word)
