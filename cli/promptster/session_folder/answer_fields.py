"""One answer of the recorder, read field by field: by name and type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from promptster.errors import SessionError
from promptster.session_folder.choices import PathCheck
from promptster.session_folder.control_calls import OTHER_VERSION

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

    def checks(self, name: str) -> Mapping[str, PathCheck]:
        """Return checks by provider; none if they are missing."""
        return self._read(name, {}, lambda value: {key: PathCheck.from_json(one) for key, one in _table(value).items()})

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


def malformed(what: str) -> AnswerError:
    """Return the error for an answer in which this part is wrong."""
    return AnswerError(
        f"the recorder's answer cannot be read ({what})",
        hint=OTHER_VERSION,
    )


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
