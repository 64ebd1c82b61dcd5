"""Flags that would send patient data unprotected stop the start with one line."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.cli import main
from mcp_cxr.errors import ConfigError
from mcp_cxr.server.http import HttpConfig

if TYPE_CHECKING:
    from pathlib import Path

ANYWHERE = "0.0.0.0"  # noqa: S104 - to be refused


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("--host 10.0.0.5", "10.0.0.5 can be reached from other machines: give --tls-cert and --tls-key, or"),
        ("--host images.example.org", "images.example.org can be reached from other machines"),
        (f"--host {ANYWHERE}", f"{ANYWHERE} can be reached from other machines"),
        ("--host ::", ":: can be reached from other machines"),
        ("--public-url http://cxr.example.org", "--public-url must be a plain https URL"),
        ("--public-url https://user:secret@cxr.example.org", "--public-url must be a plain https URL"),
        ("--public-url cxr.example.org", "--public-url must be a plain https URL"),
        ("--oauth-issuer http://issuer.example.org", "--oauth-issuer must be a plain https URL"),
        ("--tls-cert {tmp}/cert.pem", "--tls-cert and --tls-key belong together"),
        ("--tls-cert {tmp}/cert.pem --tls-key {tmp}/cert.pem", "Cannot use --tls-cert {tmp}/cert.pem with"),
        ("--port 65536", "65536 is not in the range"),
    ],
)
def test_an_unsafe_configuration_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: str, line: str
):
    data = tmp_path / "data"
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(data))
    (tmp_path / "cert.pem").write_text("no certificate")
    arguments = ["--port", "0", *flags.format(tmp=tmp_path).split()]
    assert main(["serve", "--http", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert line.format(tmp=tmp_path) in printed.err
    assert printed.err.count("\n") == 1
    assert "secret" not in printed.err


def test_a_flag_of_http_without_http_is_an_error(capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--public-url", "https://cxr.example.org"]) == 2
    assert capsys.readouterr().err == "Error: --public-url needs --http.\n"


def test_a_port_in_use_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "--http", "--port", str(other.getsockname()[1])]) == 2
    assert "Cannot listen on 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "mode", "line"),
    [
        (b"x" * 43, 0o644, "is readable by other users"),
        (b"x" * 43, 0o620, "is readable by other users"),
        (b"", 0o600, "holds no token"),
        (b"short", 0o600, "holds no token"),
        (b"\xff" * 43, 0o600, "not text"),
    ],
)
def test_a_token_file_that_is_readable_by_others_or_invalid_stops_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    mode: int,
    line: str,
):
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(tmp_path))
    file = tmp_path / "http.token"
    file.write_bytes(content)
    file.chmod(mode)
    assert main(["serve", "--http", "--port", "0"]) == 2
    assert line in capsys.readouterr().err
    assert file.read_bytes() == content


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1"])
def test_loopback_needs_no_tls(host: str):
    assert HttpConfig(host=host).url(1).startswith("http://")


def test_behind_a_proxy_only_its_name_and_loopback_are_allowed():
    config = HttpConfig(host=ANYWHERE, public_url="https://cxr.example.org/")
    assert config.url(8765) == "https://cxr.example.org/mcp"
    assert "cxr.example.org" in config.names(8765)
    assert "10.0.0.5:8765" not in config.names(8765)
    assert "https://cxr.example.org" in config.origins(8765)


def test_all_addresses_with_a_certificate_still_need_a_public_url(tmp_path: Path):
    pem = tmp_path / "cert.pem"
    with pytest.raises(ConfigError, match="add --public-url"):
        HttpConfig(host=ANYWHERE, tls_cert=pem, tls_key=pem)
