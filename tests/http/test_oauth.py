"""Tokens of an authorization server must be of this issuer, for this server, current and signed.

Imports a private module: a served reply is 200 or 401, and does not show what was read from a token.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from mcp_cxr.server.http._oauth import OAuthTokenVerifier
from tests.standins.issuer import OPENID, RFC8414, Issuer, new_key
from tests.support.served import Served, bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.archives import Ingested

RESOURCE = "https://cxr.example.org/mcp"
NOW = int(time.time())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


def verifier(issuer: Issuer, **how: Any) -> OAuthTokenVerifier:
    return OAuthTokenVerifier(issuer.url, resource=RESOURCE, **how)


@pytest.mark.parametrize("metadata_path", [RFC8414, OPENID])
async def test_a_token_for_this_server_identifies_client_and_subject(metadata_path: str):
    with Issuer(metadata_path=metadata_path) as issuer:
        found = await verifier(issuer).verify_token(issuer.token(aud=["other", RESOURCE], scope="read write"))
    assert found
    assert (found.client_id, found.subject, found.resource) == ("host", "user-1", RESOURCE)
    assert (found.scopes, found.claims) == (["read", "write"], {"iss": issuer.url})


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example.org/mcp"},
        {"aud": "https://cxr.example.org"},
        {"aud": None},
        {"iss": "https://issuer.example.org"},
        {"iss": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 3600},
        {"sub": None},
    ],
)
async def test_a_token_with_a_wrong_or_missing_claim_is_refused(issuer: Issuer, claims: dict[str, Any]):
    assert await verifier(issuer).verify_token(issuer.token(**{"aud": RESOURCE, **claims})) is None


def signed_by_another(issuer: Issuer) -> str:
    published, issuer.keys = issuer.keys, {"first": new_key()}
    token = issuer.token(aud=RESOURCE)
    issuer.keys = published
    return token


def changed(issuer: Issuer) -> str:
    head, _, signature = issuer.token(aud=RESOURCE).split(".")
    claims = {"iss": issuer.url, "sub": "admin", "aud": RESOURCE, "exp": NOW + 300}
    return f"{head}.{encoded(json.dumps(claims).encode())}.{signature}"


def unsigned(issuer: Issuer) -> str:
    claims = {"iss": issuer.url, "sub": "user-1", "aud": RESOURCE, "exp": NOW + 300}
    return jwt.encode(claims, "", "none", headers={"kid": "first"})


def signed_with_the_public_key(issuer: Issuer) -> str:
    """Return a token signed with the published key as a shared secret."""
    kind, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    secret = issuer.keys["first"].public_key().public_bytes(kind, form)
    _, claims, _ = issuer.token(aud=RESOURCE).split(".")
    head = encoded(json.dumps({"alg": "HS256", "kid": "first"}).encode())
    signed = f"{head}.{claims}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


@pytest.mark.parametrize(
    "forged",
    [
        signed_by_another,
        changed,
        unsigned,
        signed_with_the_public_key,
        lambda _: "",
        lambda _: "a.b.c",
        lambda _: "x" * 5000,
        lambda _: "ü.ü.ü",
    ],
)
async def test_a_forged_token_is_refused(issuer: Issuer, forged: Callable[[Issuer], str]):
    assert await verifier(issuer).verify_token(forged(issuer)) is None


async def test_a_new_key_is_fetched_and_unknown_ones_do_not_flood_the_issuer(issuer: Issuer):
    patient, prompt = verifier(issuer), verifier(issuer, fetch_interval_s=0)
    for one in (patient, prompt):
        assert await one.verify_token(issuer.token(aud=RESOURCE))
    issuer.keys["second"] = new_key()
    token = issuer.token(aud=RESOURCE, key="second")
    assert await prompt.verify_token(token)
    requests = len(issuer.requests)
    for _ in range(20):
        assert await patient.verify_token(token) is None
    assert len(issuer.requests) == requests


@pytest.mark.parametrize(
    "pages",
    [
        {RFC8414: {"issuer": "https://another.example.org", "jwks_uri": "http://127.0.0.1:1/keys"}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": "http://keys.example.org/keys"}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": "{url}/moved"}, "/moved": {}},
        {RFC8414: {"issuer": "{url}"}},
        {RFC8414: ["no", "object"]},
        {RFC8414: {}},
        {"/keys": {"keys": []}},
        {"/keys": {"keys": [{"kty": "RSA"}]}},
        {"/keys": {"keys": 3}},
        {"/keys": "none"},
    ],
)
async def test_an_issuer_with_invalid_metadata_or_keys_refuses_every_token(
    issuer: Issuer, pages: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    issuer.pages |= json.loads(json.dumps(pages).replace("{url}", issuer.url))
    with caplog.at_level(logging.WARNING):
        assert await verifier(issuer).verify_token(issuer.token(aud=RESOURCE)) is None
    assert "Cannot get the keys" in caplog.text


async def test_an_issuer_that_is_down_refuses_every_token_and_is_fetched_again():
    with Issuer() as issuer:
        token, one = issuer.token(aud=RESOURCE), verifier(issuer, fetch_interval_s=0)
        issuer.pages, pages = {}, issuer.pages
        assert await one.verify_token(token) is None
        issuer.pages = pages
        assert await one.verify_token(token)
    late = verifier(issuer)
    assert await late.verify_token(token) is None


async def test_a_server_with_an_issuer_accepts_its_tokens_and_logs_the_subject(
    demo: Ingested, tmp_path: Path, issuer: Issuer
):
    copy = demo.copied_to(tmp_path / "data")
    with Served(copy.environment, tmp_path, ("--oauth-issuer", issuer.url)) as served:
        assert not (tmp_path / "data" / "http.token").exists()
        refused = served.initialize(**bearer(issuer.token(aud=RESOURCE)))
        assert refused.status == 401
        url = refused.headers["www-authenticate"].split('resource_metadata="')[1].rstrip('"')
        metadata = served.send(method="GET", path="/" + url.split("/", 3)[3])
        assert json.loads(metadata.body)["authorization_servers"] == [issuer.url]
        assert json.loads(metadata.body)["resource"] == served.url
        async with served.client(issuer.token(aud=served.url)) as client:
            result = await client.call_tool("get_archive_overview", {})
        assert result.structured_content
        assert result.structured_content["studies"] == 12
        *_, line = (tmp_path / "data" / "access.jsonl").read_text().splitlines()  # a test may wait
        assert json.loads(line)["client"] == "user-1"
        session = served.initialize(**bearer(issuer.token(aud=served.url))).headers["mcp-session-id"]
        other = bearer(issuer.token(aud=served.url, sub="user-2"))
        assert served.initialize(**other, Mcp_Session_Id=session).status == 404
