"""Tokens of an authorization server: of this issuer, for this server, in time, and signed; all else is refused."""

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


@pytest.mark.parametrize("described_at", [RFC8414, OPENID])
async def test_a_token_for_this_server_says_who_asks(described_at: str):
    with Issuer(described_at=described_at) as issuer:
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
async def test_a_token_of_another_or_for_another_or_too_old_is_refused(issuer: Issuer, claims: dict[str, Any]):
    assert await verifier(issuer).verify_token(issuer.token(**{"aud": RESOURCE, **claims})) is None


def signed_by_another(issuer: Issuer) -> str:
    ours, issuer.keys = issuer.keys, {"first": new_key()}
    token = issuer.token(aud=RESOURCE)
    issuer.keys = ours
    return token


def changed(issuer: Issuer) -> str:
    head, _, signature = issuer.token(aud=RESOURCE).split(".")
    claims = {"iss": issuer.url, "sub": "admin", "aud": RESOURCE, "exp": NOW + 300}
    return f"{head}.{encoded(json.dumps(claims).encode())}.{signature}"


def unsigned(issuer: Issuer) -> str:
    claims = {"iss": issuer.url, "sub": "user-1", "aud": RESOURCE, "exp": NOW + 300}
    return jwt.encode(claims, "", "none", headers={"kid": "first"})


def signed_with_the_public_key(issuer: Issuer) -> str:
    """The published key taken for a shared secret."""
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


async def test_a_new_key_is_learned_and_invented_ones_do_not_flood_the_issuer(issuer: Issuer):
    patient, prompt = verifier(issuer), verifier(issuer, fetch_interval_s=0)
    for one in (patient, prompt):
        assert await one.verify_token(issuer.token(aud=RESOURCE))
    issuer.keys["second"] = new_key()
    token = issuer.token(aud=RESOURCE, key="second")
    assert await prompt.verify_token(token)
    asked = len(issuer.asked)
    for _ in range(20):
        assert await patient.verify_token(token) is None
    assert len(issuer.asked) == asked


@pytest.mark.parametrize(
    "pages",
    [
        {RFC8414: {"issuer": "https://another.example.org", "jwks_uri": "http://127.0.0.1:1/keys"}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": "http://films.example.org/keys"}},
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
async def test_an_issuer_that_describes_itself_wrongly_lets_nobody_in(
    issuer: Issuer, pages: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    issuer.pages |= json.loads(json.dumps(pages).replace("{url}", issuer.url))
    with caplog.at_level(logging.WARNING):
        assert await verifier(issuer).verify_token(issuer.token(aud=RESOURCE)) is None
    assert "Cannot get the keys" in caplog.text


async def test_an_issuer_that_is_down_lets_nobody_in_and_is_asked_again():
    with Issuer() as issuer:
        token, one = issuer.token(aud=RESOURCE), verifier(issuer, fetch_interval_s=0)
        issuer.pages, pages = {}, issuer.pages
        assert await one.verify_token(token) is None
        issuer.pages = pages
        assert await one.verify_token(token)
    late = verifier(issuer)
    assert await late.verify_token(token) is None


async def test_a_server_with_an_issuer_takes_its_tokens_and_says_whose(demo: Ingested, tmp_path: Path, issuer: Issuer):
    copy = demo.copied_to(tmp_path / "data")
    with Served(copy.environment, tmp_path, ("--oauth-issuer", issuer.url)) as served:
        assert not (tmp_path / "data" / "http.token").exists()
        refused = served.initialize(**bearer(issuer.token(aud=RESOURCE)))
        assert refused.status == 401
        place = refused.headers["www-authenticate"].split('resource_metadata="')[1].rstrip('"')
        told = served.send(method="GET", path="/" + place.split("/", 3)[3])
        assert json.loads(told.body)["authorization_servers"] == [issuer.url]
        assert json.loads(told.body)["resource"] == served.url
        async with served.client(issuer.token(aud=served.url)) as client:
            result = await client.call_tool("get_archive_overview", {})
        assert result.structured_content
        assert result.structured_content["studies"] == 12
        *_, line = (tmp_path / "data" / "access.jsonl").read_text().splitlines()  # a test may wait
        assert json.loads(line)["client"] == "user-1"
        session = served.initialize(**bearer(issuer.token(aud=served.url))).headers["mcp-session-id"]
        other = bearer(issuer.token(aud=served.url, sub="user-2"))
        assert served.initialize(**other, Mcp_Session_Id=session).status == 404
