"""The documents of a policy: version 1, written by Promptster 0.1, and version 2, which names its text's rendering."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, Self, cast

from promptster.protocol.documents import Record, choice, flag, integer, is_printable, table, text, words
from promptster.protocol.errors import NewerVersionError
from promptster.protocol.events.kinds import Kind

MAX_RETENTION_DAYS: Final = 180
MAX_KEY_BACKUP_DAYS: Final = 7

_ROLE = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_AGENT = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_.:-]{0,63}", re.ASCII)
_KIND = re.compile("|".join(kind.value for kind in Kind), re.ASCII)
_MAX_URL = 500
_MAX_STATEMENT = 200


class AtLimit(StrEnum):
    """What happens at the time limit to work that was not submitted."""

    STOP = "stop"
    SUBMIT = "submit"


def _is_url(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _MAX_URL:
        return False
    return value.startswith(("https://", "http://")) and is_printable(value)


@dataclass(frozen=True, kw_only=True)
class Policy(Record):
    """What is recorded, who reads it and how long it is kept. A consent names the hash of its canonical bytes.

    This is version 1; ``parse`` reads every known version.
    """

    organisation: str = text()
    """The hiring organisation's name."""
    title: str = text()
    """The assessment's title."""
    text: str = text(20_000, lines=True)
    """The text that the candidate reads."""
    kinds: tuple[str, ...] = words(_KIND, len(Kind))
    """Kinds of events that may be recorded, sorted."""
    retention_days: int = integer(1, MAX_RETENTION_DAYS)
    """Days until everything of the session is erased."""
    time_limit_minutes: int = integer(0, 60 * 24 * 30)
    """How long recording may last; 0 means that the policy sets no limit of its own."""
    providers: Mapping[str, str] = table(_is_url)
    """Model providers by name, each with the base URL to which traffic may go."""
    hooks: bool = flag()
    """Whether the agents' hooks are used as well as the proxy."""
    analysis_by_llm: bool = flag()
    """Whether a language model reads the recording."""
    readers: tuple[str, ...] = words(_ROLE, 16)
    """Roles in the organisation that may read the recording, sorted."""

    @classmethod
    def of_version(cls, version: object, /) -> type[Self]:
        """Return the class that reads a policy of this version.

        Raises:
            NewerVersionError: the version is newer than this program.
        """
        if type(version) is int and version > NEWEST:
            raise NewerVersionError(f"the policy has version {version}; the newest version known here is {NEWEST}")
        return cast("type[Self]", PolicyV2) if version == PolicyV2.V and type(version) is int else cls

    def allows(self, kind: str) -> bool:
        """Whether events of this kind may be recorded."""
        return kind in self.kinds

    def allows_agent(self, name: str) -> bool:
        """Whether this agent may be used. Version 1 has no list of agents, so all of them may."""
        del name
        return True


@dataclass(frozen=True, kw_only=True)
class PolicyV2(Policy):
    """Version 2: it names the rendering of its text and settles what version 1 left open."""

    V: ClassVar[int] = 2

    text_version: int = integer(2)
    """The number of the rendering that produces the text from the settings."""
    agents: tuple[str, ...] = words(_AGENT, 16, least=1)
    """Agents that may be used, sorted."""
    models: tuple[str, ...] = words(_MODEL, 32)
    """Models that may be used, sorted; if empty, any model may."""
    contact: str = text(_MAX_STATEMENT)
    """The address or name that candidates can write to."""
    alternative: str | None = text(_MAX_STATEMENT, null=True)
    """What the organisation offers candidates who refuse."""
    legal_basis: str = text(_MAX_STATEMENT)
    """The legal basis of the recording, as stated by the organisation."""
    at_limit: AtLimit = choice(AtLimit)
    """What happens at the time limit to work that was not submitted."""
    key_backup_days: int | None = integer(0, MAX_KEY_BACKUP_DAYS, null=True)
    """For how many days backups hold destroyed keys; ``None`` if the operator does not say."""
    reader_scopes: tuple[str, ...] = words(_NAME, 16)
    """Kinds of access tokens that may read the recording, sorted."""
    reader_systems: tuple[str, ...] = words(_NAME, 16)
    """Connected systems that may read the recording, sorted."""

    def allows_agent(self, name: str) -> bool:
        """Whether this agent may be used."""
        return name in self.agents


NEWEST: Final = PolicyV2.V
"""The newest version of a policy that this program reads."""
POLICY_HEADER: Final = "promptster-policy"
"""The header with that version, sent when a candidate's program fetches an invite. Promptster 0.1 did not send it."""
