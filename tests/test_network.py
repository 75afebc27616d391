"""Reaching the network: what environment and settings say about proxies and certificate authorities."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from promptster.errors import ConfigurationError
from promptster.network import Network, read_network


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p.example:3128"}, "http://p.example:3128"),
        ({"HTTPS_PROXY": "http://a.example", "https_proxy": "http://b.example"}, "http://b.example"),
        ({"ALL_PROXY": "p.example:3128"}, "http://p.example:3128"),
        ({"HTTP_PROXY": "http://p.example"}, None),
        ({"HTTPS_PROXY": "https://u:p@p.example"}, "https://u:p@p.example"),
    ],
)
def test_the_environments_proxy(env: dict[str, str], proxy: str | None) -> None:
    """HTTPS_PROXY, lower case first, then ALL_PROXY; a bare host means http."""
    network = read_network(env)
    assert network.proxy_url == proxy
    assert "u:p@" not in repr(network)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("url", ["socks5://u:secret@p.example:1080", "socks5h://p.example", "SOCKS4://p.example"])
def test_a_socks_proxy_is_named_where_it_would_be_needed(name: str, url: str) -> None:
    """The message has the variable and its value without the password; there is none if no call needs the proxy."""
    network = read_network({name: url, "NO_PROXY": "own.example"})
    assert network.proxy_url is None
    for direct in ("http://127.0.0.1:8080", "https://localhost", "https://[::1]:8443", "https://own.example"):
        assert network.proxy_for(direct) is None
    with pytest.raises(ConfigurationError, match=rf"^{name} names a SOCKS proxy.*api\.example") as refused:
        network.proxy_for("https://api.example")
    assert "NO_PROXY" in str(refused.value.hint)
    assert "secret" not in f"{refused.value}{refused.value.hint}{network!r}"


@pytest.mark.parametrize("url", ["ftp://p.example", "http://", "http://p.example:99999", "http://[::1"])
def test_an_unusable_proxy_is_named_where_it_would_be_needed(url: str) -> None:
    """A typing error affects only what needs the proxy, and the message names the variable or setting."""
    with pytest.raises(ConfigurationError, match=r"^ALL_PROXY names no usable proxy"):
        read_network({"ALL_PROXY": url}).proxy_for("https://api.example")
    with pytest.raises(ConfigurationError, match=r"^https_proxy in settings.json names no usable proxy"):
        read_network({}, {"https_proxy": url}).proxy_for("https://api.example")


def test_a_usable_proxy_hides_one_that_is_not() -> None:
    """HTTPS_PROXY comes first, so ALL_PROXY does not matter."""
    network = read_network({"ALL_PROXY": "socks5://p.example", "HTTPS_PROXY": "http://q.example:3128"})
    assert network.proxy_for("https://api.example") == "http://q.example:3128"


def test_every_named_file_of_authorities_counts(tmp_path: Path) -> None:
    """A system's list in one variable does not hide a company's own in another."""
    files = [tmp_path / name for name in ("own.pem", "system.pem", "company.pem", "kept.pem")]
    for file in files:
        file.touch()
    names = ("PROMPTSTER_CA_FILE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    environ: dict[str, str] = dict(zip(names, map(str, files), strict=False))
    assert read_network(environ, {"ca_file": str(files[3])}).ca_files == tuple(files)
    assert read_network(dict.fromkeys(names, str(files[0]))).ca_files == (files[0],)


def test_a_missing_file_of_authorities_is_an_error(tmp_path: Path) -> None:
    """Otherwise a wrong path would mean that the wrong authorities are trusted."""
    with pytest.raises(ConfigurationError, match="certificate file not found"):
        read_network({"NODE_EXTRA_CA_CERTS": str(tmp_path / "none.pem")})


def test_settings_say_what_the_environment_does_not() -> None:
    """For each value the environment takes precedence."""
    settings = {"https_proxy": "http://a:1", "no_proxy": "x.example"}
    network = read_network({"NO_PROXY": "y.example"}, settings)
    assert (network.proxy_url, network.no_proxy) == ("http://a:1", ("y.example",))


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("", "api.example", False),
        ("*", "api.example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        ("*.example", "api.example", True),
        ("pi.example", "api.example", False),
        ("other.test, API.EXAMPLE", "api.example", True),
        ("api.example:443", "api.example", True),
        ("api.example:8443", "api.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "ten.example", False),
        ("fd00::/8", "[fd00::1]", True),
        ("", "127.0.0.1", True),
        ("", "127.8.9.1", True),
        ("", "localhost", True),
        ("", "[::1]", True),
        (".", "api.example", False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, direct: bool) -> None:  # noqa: FBT001 - a column of the table
    """Names with subdomains, ports, addresses and networks are read; this machine is always reached directly."""
    network = read_network({"HTTPS_PROXY": "http://p.example", "NO_PROXY": no_proxy})
    assert (network.proxy_for(f"https://{host}") is None) is direct


def test_plain_http_never_goes_through_a_proxy() -> None:
    """HTTPS_PROXY is for https."""
    network = read_network({"HTTPS_PROXY": "http://p.example"})
    assert network.proxy_for("http://api.example") is None


def test_tls_is_1_2_or_newer_and_verified() -> None:
    """No setting weakens TLS."""
    context = Network().tls_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_system_without_authorities_gets_a_bundled_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some Python builds know no authority at all; providers can be verified there too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "absent"))
    context = Network().tls_context()
    assert context.cert_store_stats()["x509_ca"] > 50
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
