"""HTTP requests need the token, an allowed Host and an allowed Origin."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.server.archives import environment
from tests.support.served import INITIALIZE, Served, bearer


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_with_the_token_searches_and_views(served: Served, mode: str):
    async with served.client(mode=mode) as client:
        assert len((await client.list_tools()).tools) == 8
        page = (await client.call_tool("search_medical_images", {"query": "effusion"})).structured_content
        assert page
        assert page["results_count"] == 5
        view = await client.call_tool("view_image", {"image_id": page["images"][0]["image_id"], "max_px": 64})
        assert not view.is_error
    log = Path(served.variables["MCP_CXR_DATA_DIR"], "access.jsonl").read_text()  # noqa: ASYNC240  # a test may wait
    assert [json.loads(line)["client"] for line in log.splitlines()][-2:] == ["token", "token"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dG9rZW46dG9rZW4="},
        {"Authorization": "Bearer \udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1")},
    ],
)
def test_requests_without_the_token_are_refused(served: Served, headers: dict[str, Any]):
    for reply in (served.initialize(**headers), served.send(method="GET", headers=headers)):
        assert reply.status == 401
        assert json.loads(reply.body)["error"] == "invalid_token"


def test_a_token_that_differs_slightly_is_refused(served: Served):
    for token in (served.token[:-1], served.token + "x", served.token.lower()):
        assert served.initialize(**bearer(token)).status == 401
    assert served.initialize(**bearer(served.token)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"])
def test_an_unknown_host_name_is_refused(served: Served, host: str):
    """DNS rebinding: the name of a web page, with the address of this server."""
    port = served.url.split(":")[2].split("/")[0]
    assert served.initialize(**bearer(served.token), Host=host.format(port=port)).status == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "http://localhost:1"])
def test_an_origin_of_another_page_is_refused(served: Served, origin: str):
    assert served.initialize(**bearer(served.token), Origin=origin).status == 403


def test_a_token_in_the_url_is_refused(served: Served):
    assert served.send(b"{}", path=f"/mcp?access_token={served.token}").status == 401


def test_no_other_path_is_served(served: Served):
    for path in ("/", "/mcp/", "/mcp/../etc/passwd", "/.well-known/oauth-protected-resource", "/docs"):
        reply = served.send(method="GET", path=path, headers=bearer(served.token))
        assert reply.status in (404, 307), path


def test_the_token_is_created_once_for_its_owner_and_shown_once(tmp_path: Path):
    variables = environment(tmp_path / "data")
    with Served(variables, tmp_path) as first:
        token = first.token
        assert len(token) == 43
        code, out, err = first.end()
    assert (code, out, err) == (0, "", "")
    file = tmp_path / "data" / "http.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == f"{token}\n"
    with Served(variables, tmp_path) as second:
        assert second.said == [f"Serving {second.url}; Ctrl-C ends it.\n"]
        assert second.initialize(**bearer(token)).status == 200


def test_tls_serves_the_name_of_its_certificate_and_refuses_plain_http(tmp_path: Path):
    cert, key = certificate(tmp_path, "localhost")
    flags = ("--host", "localhost", "--tls-cert", str(cert), "--tls-key", str(key))
    with Served(environment(tmp_path / "data"), tmp_path, flags) as served:
        assert served.url.startswith("https://localhost:")
        trusting = ssl.create_default_context(cafile=str(cert))
        assert served.send(INITIALIZE, headers=bearer(served.token), context=trusting).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            served.send(INITIALIZE, headers=bearer(served.token))


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a self-signed certificate, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return cert_file, key_file
