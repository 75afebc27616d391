"""An unusable value is a usage error in every command: exit code 2, and a message that says which value it is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from tests.helpers.hiring import hiring_in

from promptster.config import collector_url
from promptster.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.helpers.hiring import Hiring

NOT_TEXT = os.fsdecode(b"\xff")
"""What a terminal that does not use UTF-8 gives to a program."""
CREATE = ("assessment", "create", "--title", "A task")
WHO = ("--name", "Ada", "--email", "ada@example.com")


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hiring]:
    """A collector with one assessment, its owner signed in."""
    with hiring_in(tmp_path_factory.mktemp("stage")) as made:
        made.assessment("Known")
        yield made


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((*CREATE, "--title", NOT_TEXT), "--title"),
        ((*CREATE, "--title", "two\nlines"), "title"),
        ((*CREATE, "--time-limit", "-5m"), "-5m"),
        ((*CREATE, "--retention", "1.5d"), "1.5d"),
        ((*CREATE, "--repo", ""), "--repo"),
        ((*CREATE, "--repo", "https://"), "https://"),
        ((*CREATE, "--repo", "https://[half/task.git"), "[half"),
        ((*CREATE, "--repo", "ssh://git@host.example:99999/task.git"), "99999"),
        (("invite", "Known", "--name", "Ada", "--email", "ada"), "e-mail"),
        (("invite", "Known", "--name", NOT_TEXT, "--email", "ada@example.com"), "--name"),
        (("invite", "Known", "--name", "Ada", "--email", f"{NOT_TEXT}@example.com"), "--email"),
        (("invite", " ", *WHO), "assessment"),
        (("invite", NOT_TEXT, *WHO), "assessment"),
        (("token", "create", "--role", "king"), "role"),
        (("token", "create", "--role", "owner", "--label", NOT_TEXT), "--label"),
        (("token", "create", "--role", "owner", "--expires", "soon"), "soon"),
        (("token", "create", "--role", "owner", "--expires", "99999d"), "days"),
        (("token", "revoke", ""), "id"),
        (("token", "revoke", "no id!"), "no id!"),
        (("token", "revoke", NOT_TEXT), "id"),
        (("sessions", "--collector", "nowhere"), "nowhere"),
        (("login", "--collector", "https://a b", "--token-stdin"), "a b"),
        (("login", "--collector", "https://a.example:99999", "--token-stdin"), "99999"),
        (("login", "--secrets", "pocket", "--token-stdin"), "pocket"),
        (("replay", "no id!"), "no id!"),
        (("export", "A" * 22, "--format", "pdf"), "pdf"),
        (("completion", "cmd"), "cmd"),
        (("start", "x", "--secrets", "pocket"), "pocket"),
        (("start", "x", "--ide", "vi"), "vi"),
        (("start", "x", "--upstream", "anthropic"), "anthropic"),
        (("start", "x", "--upstream", "anthropic=http://"), "http://"),
        (("start", "x", "--upstream", "anthropic=http://127.0.0.1:99999"), "99999"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_usage_error(acme: Hiring, words: tuple[str, ...], named: str) -> None:
    """The exit code is 2, without asking the collector and without a crash; the value or its option is named."""
    answer = acme.owner.call(*words, "--json", given="pt_x\n")
    assert answer.code == 2, answer.stdout + answer.stderr
    error = answer.document["error"]
    assert named in error["message"]
    assert error["code"] not in {"internal", "invalid_request"}


def test_what_is_well_formed_and_not_known_is_no_usage_error(acme: Hiring) -> None:
    """The exit code is 1: the command line is valid, but the collector has nothing of that name."""
    for words in (("token", "revoke", "abcdef"), ("invite", "Nothing", *WHO), ("replay", "A" * 22)):
        assert acme.owner.call(*words, "--json").code == 1


def test_the_policys_hash_is_checked_for_its_form(acme: Hiring, tmp_path: Path) -> None:
    """A malformed hash is refused even with a good invite, and nothing is begun."""
    with acme.invited("ada") as invited:
        words = ("start", invited.link, "--workspace", str(tmp_path / "w"), "--accept-policy", "md5:00", "--json")
        answer = invited.person.call(*words)
        assert (answer.code, answer.document["error"]["code"]) == (2, "usage")
        assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "ftp://host.example",
        "https://",
        "https://[half",
        "https://a b.example",
        "https://a\tb.example",
        "https://a..example",
        f"https://{'a' * 64}.example",
        f"https://{NOT_TEXT}.example",
        "https://host.example:0",
        "https://host.example:99999",
        "https://host.example:http",
        "https://host.example/?x=1",
        "https://host.example/#x",
        "https://me@host.example",
    ],
)
def test_an_address_that_can_never_be_called_is_refused(url: str) -> None:
    """It is refused before any request, and text after a number sign is not silently dropped."""
    with pytest.raises(ConfigurationError, match=re.escape(repr(url))):
        collector_url(url)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://host.example/", "https://host.example"),
        ("https://HOST.example:8443/base/", "https://host.example:8443/base"),
        ("https://bücher.example", "https://bücher.example"),
        ("https://my_host", "https://my_host"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_addresses_that_can_be_called_stay(url: str, spelled: str) -> None:
    """Names of other alphabets, underscores and numbers are accepted."""
    assert collector_url(url) == spelled


@pytest.mark.parametrize("address", ["git@host.example:team/task.git", "ssh://git@host.example:22/task.git"])
def test_repositories_that_can_be_cloned_are_taken(acme: Hiring, address: str) -> None:
    """Git's own short form without a port is accepted."""
    assert acme.owner.result(*CREATE, "--repo", address)["repository"] == address
