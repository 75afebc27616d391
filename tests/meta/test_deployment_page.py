"""What docs/deployment.md prints works: nginx before a real collector, the systemd units, the container's command."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import httpx
import pytest
from tests.helpers.candidate import started
from tests.helpers.certificates import make_server
from tests.helpers.collector import RunningCollector, collector
from typer.main import get_command

from promptster.protocol.batch import MAX_WIRE
from promptster_collector.__main__ import app
from promptster_collector.settings import Limits
from promptster_collector.store.alarms import _REPEATED, AlarmKind  # pyright: ignore[reportPrivateUsage]

PAGE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text()
HOST = "collector.example.com"


def blocks(language: str) -> list[str]:
    """The page's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """A collector, and a client that reaches it through nginx."""

    running: RunningCollector
    client: httpx.Client
    authority: Path
    """Signed the proxy's certificate."""


@contextmanager
def nginx(folder: Path, upstream: str) -> Generator[str]:
    """The page's server on a free port, with a certificate made for it; yields its base URL."""
    (block,) = blocks("nginx")
    make_server(folder, HOST)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server, replaced = block, 0
    for pattern, value in (
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"ssl_certificate .*?;", f"ssl_certificate {folder / 'server.pem'};"),
        (r"ssl_certificate_key .*?;", f"ssl_certificate_key {folder / 'server.key'};"),
        (r"http://127\.0\.0\.1:8080", upstream),
    ):
        server, count = re.subn(pattern, value, server)
        replaced += count
    assert replaced == 4
    paths = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"daemon off; master_process off; pid {folder / 'nginx.pid'}; error_log {folder / 'error.log'};\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n"
    )
    settings = folder / "nginx.conf"
    settings.write_text(text)
    words = ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(settings)]
    checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr, checked.stderr
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while not _listens(port):
                assert process.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < until, "nginx does not listen"
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxied]:
    """The page's nginx in front of a collector that knows the page's public URL."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("proxied")
    with (
        collector(folder, options=("--public-url", f"https://{HOST}")) as running,
        nginx(folder, running.url) as url,
    ):
        tls = ssl.create_default_context(cafile=folder / "ca.pem")
        with httpx.Client(base_url=url, verify=tls, headers={"host": HOST}, timeout=60) as client:
            yield Proxied(running=running, client=client, authority=folder / "ca.pem")


def test_a_session_is_recorded_and_read_through_the_proxy(proxied: Proxied) -> None:
    """Assessment, invite, redemption, a batch and its receipt, and the events all pass over the proxy's TLS."""
    candidate = started(proxied.client, proxied.running.token)
    candidate.say("through the proxy")
    assert candidate.put(proxied.client, 0).status_code == 200
    path = f"/v1/sessions/{candidate.session}/events"
    page = proxied.client.get(path, headers={"authorization": f"Bearer {proxied.running.token}"}).json()
    assert [event["fields"].get("text") for event in page["events"]].count("through the proxy") == 1
    answer = proxied.client.get("/healthz")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_largest_batch_gets_through_the_proxy(proxied: Proxied) -> None:
    """The proxy accepts bodies as large as a batch may be, so that the answer is the collector's."""
    answer = proxied.client.put("/v1/sessions/x/batches/0", content=bytes(MAX_WIRE))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "magic"


def test_too_many_connections_of_one_address_are_refused_by_the_proxy(proxied: Proxied) -> None:
    """With more open requests than one address may have, the proxy answers each further one itself."""
    url, more = proxied.client.base_url, 5
    (allowed,) = re.findall(r"^    limit_conn promptster_connections (\d+);$", PAGE, re.MULTILINE)
    tls = ssl.create_default_context(cafile=proxied.authority)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2  # after whose handshake only an answer can be read
    head = f"PUT /v1/sessions/x/batches/0 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100\r\n\r\n".encode()
    with ExitStack() as stack, DefaultSelector() as selector:
        for _ in range(int(allowed) + more):
            plain = stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=60))
            spoken = stack.enter_context(tls.wrap_socket(plain, server_hostname=HOST))
            spoken.sendall(head)
            selector.register(spoken, EVENT_READ)
        for _ in range(more):
            ((key, _), *_) = selector.select(60)
            assert isinstance(key.fileobj, ssl.SSLSocket)
            assert key.fileobj.recv(4096).startswith(b"HTTP/1.1 429 ")
            selector.unregister(key.fileobj)


def units() -> dict[str, str]:
    """The page's systemd units by the names that it gives them."""
    named = re.findall(
        r"`/etc/systemd/system/(promptster-[a-z.-]+)`:\n\n```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
    return dict(named)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Every unit is verified without a message, with the program of this environment."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    assert len(units()) == len(blocks("ini")) == 3
    program = Path(sys.executable).with_name("promptster-collector")
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace("/opt/promptster/bin/promptster-collector", str(program)))
    words = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in units())]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_COLORS": "0"})
    said = [line for line in done.stderr.splitlines() if "promptster" in line]
    assert (done.returncode, said) == (0, [])


def commands() -> list[list[str]]:
    """Every command of the collector in a unit or in the container."""
    found = [
        match.split()
        for text in blocks("ini")
        for match in re.findall(r"^ExecStart=/opt\S*/(promptster.*)$", text, re.MULTILINE)
    ]
    (container,) = blocks("dockerfile")
    entry, given = (json.loads(text) for text in re.findall(r"^(?:ENTRYPOINT|CMD) (\[.*\])$", container, re.MULTILINE))
    quoted = re.findall(r"exec /opt\S*/(promptster-collector backup .*?)'$", "\n".join(blocks("ini")), re.MULTILINE)
    return [*found, [*entry, *given], *(text.replace('"', "").replace(" +%%Y-%%m-%%d", "").split() for text in quoted)]


def test_the_units_and_the_container_run_commands_that_exist() -> None:
    """Their options are those of the program."""
    assert len(commands()) == 3
    for program, name, *words in commands():
        assert program == "promptster-collector"
        getattr(get_command(app), "commands", {})[name].make_context(name, words)


def test_the_limits_are_the_collectors_own() -> None:
    """The table of limits has the figures that are enforced."""
    limits = Limits()
    for figure in (
        f"| batches of one session | the collector | {limits.batches_per_second} a second |",
        f"| the collector | {limits.unsigned_per_second} a second |",
        f"| the collector | {limits.wrong_secrets_per_minute} a minute |",
        f"| the collector | {limits.invites_per_hour} an hour |",
        f"| size of a session | the collector | {limits.session_bytes >> 20} MiB |",
    ):
        assert figure in PAGE


def test_every_alarm_is_explained() -> None:
    """The table of alarms has each code of the collector once, with what happened and what to do."""
    table = PAGE.partition("\n| alarm | what happened | what to do |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [re.fullmatch(r"\| `(\w+)` \| .{20,} \| .{20,} \|", row) for row in table.splitlines()]
    assert [row[1] for row in rows if row] == [kind.value for kind in AlarmKind]
    assert len(rows) == len(AlarmKind)
    assert f"at most {_REPEATED} alarms of one kind" in PAGE
