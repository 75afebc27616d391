"""The commands of ``promptster-collector``, run as processes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import re
import ssl
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.helpers.candidate import bearer, started
from tests.helpers.collector import COMMAND, OWNER, RunningCollector, collector, run_command
from tests.helpers.terminal import Terminal

from promptster.protocol.key_succession import parse_keyfile
from promptster_collector.commands.serve import PORT


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """A collector for tests that do not stop it."""
    with collector(tmp_path_factory.mktemp("commands")) as made:
        yield made


def test_init_makes_a_closed_folder(running: RunningCollector) -> None:
    """Folders are 0700, files with secrets 0600, and of the secrets only the token is printed."""
    assert stat.S_IMODE(running.data.stat().st_mode) == 0o700
    for name in ("control", "keystore", "segments", "tombstones"):
        assert stat.S_IMODE((running.data / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((running.data / "master.key").stat().st_mode) == 0o600
    with httpx.Client(base_url=running.url) as client:
        candidate = started(client, running.token)
        candidate.say("so that every file is there")
        candidate.put(client, 0)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in running.data.rglob("*") if path.is_file()}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert "control.sqlite3-wal" in modes
    assert running.token.startswith("pt_")


def test_init_says_what_is_next(tmp_path: Path) -> None:
    """Without --json the text says how to start it and how the owner signs in; a second init is refused."""
    data = tmp_path / "d"
    done = run_command("init", "--data", data, "--org", "Acme", "--owner-email", OWNER)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"Created Acme's collector in {data}."
    assert lines[1].startswith("Owner's token, shown once: pt_")
    assert re.fullmatch(r"  [0-9a-f]{64}", lines[3])
    assert lines[-2] == f"  promptster-collector serve --data {data}"
    assert lines[-1] == f"  promptster login --collector http://127.0.0.1:{PORT} --token-stdin"
    assert all(len(line) <= 80 or str(data) in line for line in lines)
    again = run_command("init", "--data", data, "--org", "Acme", "--owner-email", OWNER, "--json")
    assert again.returncode == 1
    error = json.loads(again.stdout)["error"]
    assert error["code"] == "already_initialised"
    assert set(error) == {"code", "message", "hint"}


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["init", "--data", "D", "--org", " ", "--owner-email", "a@b.example"], "organisation", 2),
        (["init", "--data", "D", "--org", "A", "--owner-email", "nobody"], "email", 2),
        (["init", "--data", "D", "--org", "A", "--owner-email", "a@b@c.example"], "email", 2),
        (["init", "--data", "D", "--org", "A", "--owner-email", "a\u200b@b.example"], "email", 2),
        (["init", "--data", "D", "--org", "x" * 101, "--owner-email", "a@b.example"], "organisation", 2),
        (["init", "--data", "D"], "usage", 2),
        (["serve", "--data", "nowhere"], "not_initialised", 1),
        (["serve", "--data", "D", "--host", "0.0.0.0"], "plain_http_refused", 2),  # noqa: S104 - that it is refused is the test
        (["serve", "--data", "D", "--host", "collector.example"], "plain_http_refused", 2),
        (["serve", "--data", "D", "--tls-cert", "x"], "tls", 2),
        (["serve", "--data", "D", "--public-url", "http://collector.example"], "public_url", 2),
        (["serve", "--data", "D", "--public-url", "collector.example"], "public_url", 2),
        (["serve", "--data", "D", "--public-url", "https://0.0.0.0"], "public_url", 2),
        (["serve", "--data", "D", "--public-url", "https://[half"], "public_url", 2),
        (["serve", "--data", "D", "--public-url", "https://collector.example:99999"], "public_url", 2),
        (["serve", "--data", "D", "--public-url", "https://collector example"], "public_url", 2),
        (["serve", "--data", "D", "--ready-file", "nowhere/ready"], "ready_file", 2),
        (["serve", "--data", "D", "--port", "65536"], "usage", 2),
        (["serve", "--data", "D", "--port", "http"], "usage", 2),
        (["serve", "--data", "D", "--host", "0.0.0.0", "--tls-cert", "x", "--tls-key", "x"], "public_url", 2),  # noqa: S104 - likewise
        (["serve", "--data", "D", "--host", "::", "--tls-cert", "x", "--tls-key", "x"], "public_url", 2),
        (["serve", "--data", "D", "--tls-cert", "x", "--tls-key", "x"], "tls", 2),
        (["keys", "--data", "nowhere", "-o", "x"], "not_initialised", 1),
        (["nonsense"], "usage", 2),
    ],
)
def test_errors_are_one_document(arguments: list[str], code: str, exit_code: int, tmp_path: Path) -> None:
    """With --json every error has the same shape on standard output, and no other text is printed."""
    words = [str(tmp_path / word) if word in {"D", "nowhere", "x"} else word for word in arguments]
    done = run_command(*words, "--json")
    assert json.loads(done.stdout)["error"]["code"] == code
    assert done.returncode == exit_code


def test_a_second_server_is_refused(running: RunningCollector) -> None:
    """Only one process serves a data folder."""
    done = run_command("serve", "--data", running.data, "--port", "0", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "data_in_use")


def test_a_taken_port_is_said(running: RunningCollector, tmp_path: Path) -> None:
    """A port in use is reported, with what to do."""
    run_command("init", "--data", tmp_path / "d", "--org", "Acme", "--owner-email", OWNER)
    done = run_command("serve", "--data", tmp_path / "d", "--port", str(running.port), "--json")
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "address"
    assert error["message"] == f"cannot listen on 127.0.0.1:{running.port}: the port is in use"
    away = run_command("serve", "--data", tmp_path / "d", "--host", "127.0.0.999", "--port", "0")
    assert away.stderr.startswith("error: http works only on 127.0.0.1\n")


@pytest.mark.parametrize("taken", ["file", "folder with a file"])
def test_init_takes_no_place_that_holds_something(tmp_path: Path, taken: str) -> None:
    """Init would close the folder to others and mix its files with theirs, so it is refused and changes nothing."""
    place = tmp_path / "place"
    if taken == "file":
        place.write_text("mine")
    else:
        place.mkdir(mode=0o755)
        (place / "notes").write_text("mine")
    before = stat.S_IMODE(place.stat().st_mode), sorted(tmp_path.rglob("*"))
    done = run_command("init", "--data", place, "--org", "Acme", "--owner-email", OWNER, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "data_taken")
    assert (stat.S_IMODE(place.stat().st_mode), sorted(tmp_path.rglob("*"))) == before


def test_a_file_is_replaced_only_when_that_was_said(running: RunningCollector, tmp_path: Path) -> None:
    """Neither a file nor a link is overwritten; with --force a link is replaced, and its target stays."""
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(mine)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for place in (mine, link, tmp_path / "dangling"):
        done = run_command("keys", "--data", running.data, "-o", place)
        assert (done.returncode, done.stderr) == (2, f"error: {place} already exists\nAdd --force to replace it.\n")
    assert mine.read_text() == "mine"
    assert not (tmp_path / "nothing").exists()
    assert run_command("keys", "--data", running.data, "-o", link, "--force").returncode == 0
    assert not link.is_symlink()
    assert parse_keyfile(link.read_bytes()).fingerprints == (running.fingerprint,)
    assert mine.read_text() == "mine"


def test_what_is_no_file_is_never_replaced(running: RunningCollector, tmp_path: Path) -> None:
    """A pipe or a device is never replaced, also with --force."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for force in ((), ("--force",)):
        done = run_command("keys", "--data", running.data, "-o", pipe, *force)
        assert (done.returncode, done.stderr) == (2, f"error: {pipe} is not a file\nChoose a file.\n")
        assert pipe.is_fifo()
    missing = run_command("keys", "--data", running.data, "-o", tmp_path / "no" / "x", "--json")
    assert (missing.returncode, json.loads(missing.stdout)["error"]["code"]) == (2, "file")


@pytest.mark.parametrize("text", ["my notes", "https://example.com and more", "x" * 5000])
def test_a_ready_file_replaces_nothing_else(running: RunningCollector, tmp_path: Path, text: str) -> None:
    """It is removed without asking, so a file is removed only if it contains nothing but an address."""
    mine = tmp_path / "mine"
    mine.write_text(text)
    done = run_command("serve", "--data", running.data, "--port", "0", "--ready-file", mine, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "ready_file")
    assert mine.read_text() == text


def test_serve_says_where_it_is_ready(tmp_path: Path) -> None:
    """Once it answers, standard output shows address and organisation; the README names the default port."""
    run_command("init", "--data", tmp_path / "d", "--org", "Acme", "--owner-email", OWNER)
    words = [*COMMAND, "serve", "--data", str(tmp_path / "d"), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    found = re.fullmatch(r"Acme's collector is ready at http://127\.0\.0\.1:\d+ \(this computer only\)\.\n", line)
    assert found is not None
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"http://127.0.0.1:{PORT}" in readme
    assert "8443" not in readme


def test_keys_are_public_and_the_same_everywhere(running: RunningCollector, tmp_path: Path) -> None:
    """The key file, /v1/keys and the fingerprint of init agree."""
    file = tmp_path / "keys.json"
    done = run_command("keys", "--data", running.data, "-o", file, "--json")
    assert json.loads(done.stdout)["fingerprints"] == [running.fingerprint]
    assert file.read_bytes() == httpx.get(f"{running.url}/v1/keys").content
    assert parse_keyfile(file.read_bytes()).fingerprints == (running.fingerprint,)
    assert run_command("keys", "--data", running.data, "-o", "-").stdout == file.read_text()


@pytest.mark.parametrize("lost", ["control.sqlite3", "keystore.sqlite3"])
def test_a_database_that_went_missing_is_not_made_anew(tmp_path: Path, lost: str) -> None:
    """An empty one in its place would look as if nobody had ever been invited."""
    run_command("init", "--data", tmp_path / "d", "--org", "Acme", "--owner-email", OWNER)
    (path,) = (tmp_path / "d").rglob(lost)
    path.unlink()
    done = run_command("serve", "--data", tmp_path / "d", "--port", "0")
    assert (done.returncode, done.stderr) == (1, f"error: the data folder lacks {lost}\nRestore it.\n")
    assert not path.exists()


def test_a_database_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """The message has no traceback, and says what to do."""
    run_command("init", "--data", tmp_path / "d", "--org", "Acme", "--owner-email", OWNER)
    (path,) = (tmp_path / "d").rglob("control.sqlite3")
    path.write_text("nothing of the kind")
    done = run_command("serve", "--data", tmp_path / "d", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot use a database of the data folder: file is not a database\n")
    assert "restore the data folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_storage_map_prints_everything() -> None:
    """Text and document have the same content."""
    entries = json.loads(run_command("storage-map", "--json").stdout)["storage"]
    words = run_command("storage-map").stdout
    assert {"file", "table", "column", "data_class", "cipher", "key", "retention"} == set(entries[0])
    assert all(entry["file"] in words for entry in entries)
    assert any(entry["column"] == "body_sealed" and entry["cipher"] == "AES-256-GCM" for entry in entries)


def test_the_ready_file_is_the_base_url(running: RunningCollector) -> None:
    """The collector answers at the URL in the ready file."""
    health = httpx.get(f"{running.url}/healthz")
    assert health.json()["status"] == "ok"
    assert running.url.startswith("http://127.0.0.1:")


def test_headers_of_every_answer(running: RunningCollector) -> None:
    """Answers are not cached, not sniffed, not framed, and load nothing."""
    for path in ("/healthz", "/nothing", "/v1/me", "/schema/openapi.json"):
        headers = httpx.get(running.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers


def test_the_invite_page_is_static(running: RunningCollector) -> None:
    """The page is the same for every id, has no script, and makes no request."""
    first, second = httpx.get(f"{running.url}/i/one"), httpx.get(f"{running.url}/i/%3Cscript%3E")
    assert first.content == second.content
    assert "<script" not in first.text
    assert "ask the team that invited you" in " ".join(first.text.split())
    assert "http" not in first.text.partition("<body>")[2]
    assert "default-src 'none'" in first.headers["content-security-policy"]


def test_the_api_describes_itself(running: RunningCollector) -> None:
    """OpenAPI is served and names every route of the contract."""
    paths = httpx.get(f"{running.url}/schema/openapi.json").json()["paths"]
    assert {"/healthz", "/v1/keys", "/v1/sessions/{session}/batches/{n}", "/v1/invites/{invite}/redeem"} <= set(paths)


def test_a_restart_goes_on(tmp_path: Path) -> None:
    """SIGTERM ends with exit code 0, and the next process on the same data and port continues with all of it."""
    with collector(tmp_path) as made:
        with httpx.Client(base_url=made.url) as client:
            candidate = started(client, made.token)
            candidate.say("before")
            first = candidate.put(client, 0).content
        port = made.port
        assert made.stop() == 0
        made.start()
        assert made.port == port
        with httpx.Client(base_url=made.url) as client:
            assert candidate.put(client, 0).content == first
            candidate.say("after")
            assert candidate.put(client, 1).status_code == 200
            assert client.get("/v1/me", headers=bearer(made.token)).json()["role"] == "owner"
        assert all("WARNING" not in line and "ERROR" not in line for line in made.log), made.log


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


def test_tls_is_modern(tmp_path: Path) -> None:
    """With a certificate the collector speaks TLS 1.2 and newer, and refuses what is older."""
    cert_file, key_file = certificate(tmp_path)
    with collector(tmp_path, options=("--tls-cert", str(cert_file), "--tls-key", str(key_file))) as made:
        assert made.url.startswith("https://127.0.0.1:")
        modern = ssl.create_default_context(cafile=cert_file)
        answer = httpx.get(f"{made.url}/healthz", verify=modern)
        assert answer.json()["status"] == "ok"
        assert answer.headers["strict-transport-security"]
        old = ssl.create_default_context(cafile=cert_file)
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{made.url}/healthz", verify=old)
    broken = run_command(
        "serve", "--data", made.data, "--port", "0", "--tls-cert", key_file, "--tls-key", key_file, "--json"
    )
    assert json.loads(broken.stdout)["error"]["code"] == "tls"


def _run_without(tmp_path: Path, before: str) -> tuple[int, dict[str, Any]]:
    """``init`` in a process that ran ``before`` first: its exit code and its error."""
    program = f"import sys; from promptster_collector.__main__ import main\n{before}; sys.exit(main())"
    words = ["init", "--data", str(tmp_path / "d"), "--org", "Acme", "--owner-email", OWNER, "--json"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)["error"]


def test_other_systems_are_refused_by_name(tmp_path: Path) -> None:
    """On an untested system nothing is made."""
    code, error = _run_without(tmp_path, "sys.modules['fcntl'] = None; sys.platform = 'freebsd14'")
    assert (code, error["code"]) == (1, "platform")
    assert "promptster-collector does not run on freebsd14" in error["message"]
    assert not (tmp_path / "d").exists()


def test_without_its_libraries_the_collector_says_what_to_install(tmp_path: Path) -> None:
    """The candidate's package brings this command, but not the libraries that it needs."""
    code, error = _run_without(tmp_path, "sys.modules['sqlalchemy'] = None")
    assert (code, error["code"]) == (1, "not_installed")
    assert "promptster[collector]" in error["hint"]


def test_a_ready_file_is_there_as_long_as_somebody_listens(tmp_path: Path) -> None:
    """An earlier process's file is removed before the address is known, and each process removes its own at the end."""
    with collector(tmp_path) as made:
        ready = made.data.parent / f".{made.data.name}.ready"
        assert ready.read_text() == made.url
        made.stop()
        assert not ready.exists()
        ready.write_text("http://127.0.0.1:1")
        done = run_command("serve", "--data", made.data, "--host", "192.0.2.1", "--ready-file", ready, "--json")
        assert done.returncode == 2
        assert ready.exists(), "who never held the folder removes nothing"


@pytest.mark.parametrize("width", [60, 80])
def test_a_terminal_gets_lines_of_its_width(tmp_path: Path, width: int) -> None:
    """Words and commands stay whole, wide characters count twice; a pipe gets the text unchanged."""
    environ = {**os.environ, "PYTHONUTF8": "1"}
    environ.pop("COLUMNS", None)
    name = "日本語の組織 " * 12
    for words in (
        ("storage-map",),
        ("init", "--data", "d", "--org", name, "--owner-email", OWNER),
        ("keys", "--data", "no folder " * 12, "-o", "keys.json"),
    ):
        with Terminal([*COMMAND, *words], environ=environ, cwd=tmp_path, columns=width) as terminal:
            terminal.end()
        lines = terminal.shown.replace("\r\n", "\n").split("\n")
        wide = [line for line in lines if sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line) > width]
        assert [line for line in wide if not line.startswith("  promptster") and " " in line.strip()] == []
    piped = run_command("storage-map").stdout
    assert max(map(len, piped.splitlines())) > width
    assert "".join(piped.split()) == "".join(_shown(tmp_path, width, "storage-map").split())


def _shown(folder: Path, width: int, *words: str) -> str:
    with Terminal([*COMMAND, *words], environ=os.environ, cwd=folder, columns=width) as terminal:
        terminal.end()
    return terminal.shown
