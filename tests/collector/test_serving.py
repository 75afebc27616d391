"""Serving: errors of other people's code reach the log without content."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from litestar.types import Receive, Scope, Send

from promptster_collector.errors import SetupError
from promptster_collector.listening import Listening, bind
from promptster_collector.serving import Server, WithoutContent, ready_words, serve
from promptster_collector.settings import Settings


@pytest.fixture
def settings(data: Path) -> Iterator[Settings]:
    """A data folder; log settings and umask, which serving changes for the whole process, are restored."""
    root, own = logging.getLogger(), logging.getLogger("promptster_collector")
    handlers, own_handlers, level, propagate = root.handlers[:], own.handlers[:], own.level, own.propagate
    mask = os.umask(0o077)
    yield Settings(data=data)
    os.umask(mask)
    root.handlers[:], own.handlers[:], own.propagate = handlers, own_handlers, propagate
    own.setLevel(level)


def test_a_librarys_fault_is_told_without_content() -> None:
    """The log has a logger's name, a level and the fault's type, but no message, arguments or traceback."""
    with pytest.raises(ValueError, match="pt_secret") as caught:
        int("pt_secret of somebody")
    told = (caught.type, caught.value, caught.tb)
    record = logging.getLogger("some.library").makeRecord(
        "some.library", logging.ERROR, "f", 1, "pt_secret %s", ("prompt text",), told, "f", None, "stack"
    )
    text = WithoutContent("%(levelname)s a fault in %(name)s").format(record)
    assert text.startswith("ERROR a fault in some.library\nValueError")
    assert "secret" not in text
    assert "prompt" not in text
    assert "Traceback" not in text
    assert "stack" not in text


@pytest.mark.parametrize(
    "url", ["http://collector.example", "ftp://127.0.0.1", "https://", "collector.example", "http://127.0.0.1.example/"]
)
def test_links_name_no_plain_address(url: str, settings: Settings) -> None:
    """A public URL beyond loopback must be https, or the collector does not start."""
    with pytest.raises(SetupError) as caught:
        serve(Settings(data=settings.data, public_url=url), Listening(host="127.0.0.1", port=0), tell=print)
    assert caught.value.code == "public_url"


@pytest.mark.parametrize("url", ["http://collector.example", "https://0.0.0.0"])
def test_a_public_url_that_was_given_is_not_asked_for_again(url: str, settings: Settings) -> None:
    """The message has the URL, and the hint says what is wrong with it."""
    with pytest.raises(SetupError) as caught:
        serve(Settings(data=settings.data, public_url=url), Listening(host="127.0.0.1", port=0), tell=print)
    assert caught.value.message == f"{url} cannot be used in invite links"
    assert caught.value.hint == "Use https and a host name: --public-url https://HOST."


async def _fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that fails at the start."""
    raise ValueError


def test_a_start_that_failed_is_an_error_of_its_own() -> None:
    """The command ends with a message and exit code 1, not with the web server's silent 3, which means a refusal."""
    server = Server(uvicorn.Config(_fails, lifespan="on", log_config=None), lambda: pytest.fail("it is not ready"))
    with bind(Listening(host="127.0.0.1", port=0)) as listener, pytest.raises(SetupError) as caught:
        server.run_until_signal(listener)
    assert (caught.value.message, caught.value.code) == ("the collector could not start", "start")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("url", ["collector.example", "collector", "https://"])
def test_a_public_address_that_is_none_is_named(url: str, settings: Settings) -> None:
    """What was typed is shown, so that nobody looks for an option that is there."""
    with pytest.raises(SetupError, match=f"not a web address: '{url}'"):
        serve(Settings(data=settings.data, public_url=url), Listening(host="127.0.0.1", port=0), tell=print)


@pytest.mark.parametrize("url", ["https://a.example/x?y=1", "https://a.example#x", "https://me@a.example"])
def test_links_can_be_made_of_the_public_address(url: str, settings: Settings) -> None:
    """A URL with a query or a fragment would make links that cannot be opened."""
    with pytest.raises(SetupError, match="--public-url takes only an address"):
        serve(Settings(data=settings.data, public_url=url), Listening(host="127.0.0.1", port=0), tell=print)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "", "10.0.0.1", "127.0.0.1.example"])  # noqa: S104 - refused
def test_plain_http_stays_on_loopback(host: str, settings: Settings) -> None:
    """Any address outside this machine's loopback needs a certificate."""
    with pytest.raises(SetupError) as caught:
        serve(settings, Listening(host=host, port=0), tell=print)
    assert caught.value.code == "plain_http_refused"


@pytest.mark.parametrize(
    ("host", "public", "first"),
    [
        ("127.0.0.1", "", "Acme's collector is ready at http://127.0.0.1:8080 (this computer only)."),
        ("10.0.0.1", "", "Acme's collector is ready at http://127.0.0.1:8080."),
        (
            "127.0.0.1",
            "https://assess.acme.example",
            "Acme's collector is ready at https://assess.acme.example (listening on http://127.0.0.1:8080).",
        ),
    ],
)
def test_whoever_starts_it_reads_where_it_is(host: str, public: str, first: str, data: Path) -> None:
    """The operator reads the address that others use, who can use it, and how to stop the collector."""
    url = "http://127.0.0.1:8080"
    lines = ready_words("Acme", Settings(data=data, public_url=public or url), Listening(host=host, port=8080), url)
    assert lines[0] == first
    assert lines[-1] == "Ctrl-C stops it."
    assert ("For other computers" in lines[1]) == (len(lines) == 3)
    assert ready_words("", Settings(data=data), Listening(host=host, port=8080), url)[0].startswith("The collector is")
