"""Tokens of an authorization server must be of this issuer, for this server, current and signed.

Imports private modules: a served reply is 200 or 401, and does not show what was read from a token; minutes cannot
pass in a test.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio
import jwt
import pytest
from anyio.lowlevel import checkpoint
from cryptography.hazmat.primitives import serialization

from mcp_cxr.server.http import HttpConfig
from mcp_cxr.server.http._issuer_keys import MAX_AGE_S, MAX_WAITING, IssuerKeys
from mcp_cxr.server.http._oauth import OAuthTokenVerifier
from mcp_cxr.server.http._request_limits import MAX_CALLS
from tests.http.serving import Clock, serving
from tests.standins.issuer import OPENID, RFC8414, Issuer, new_key
from tests.support.served import WITHIN_S, Served, bearer

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
        {"exp": 1e400},
        {"exp": {}},
        {"aud": [3]},
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
    clock = Clock()
    one = verifier(issuer, clock=clock)
    assert await one.verify_token(issuer.token(aud=RESOURCE))
    issuer.keys["second"] = new_key()
    token = issuer.token(aud=RESOURCE, key="second")
    requests = len(issuer.requests)
    for _ in range(20):
        assert await one.verify_token(token) is None
    assert len(issuer.requests) == requests
    clock.now += 10
    assert await one.verify_token(token)


async def test_keys_at_a_url_with_a_query_are_fetched(issuer: Issuer):
    keys = issuer.page("/keys")
    issuer.pages[RFC8414]["jwks_uri"] += "?tenant=a%20b&policy=x@y"
    issuer.pages["/keys"], issuer.pages["/keys?tenant=a%20b&policy=x@y"] = {"keys": []}, keys
    assert await verifier(issuer).verify_token(issuer.token(aud=RESOURCE))


async def test_malformed_keys_do_not_spoil_the_others(issuer: Issuer):
    keys = issuer.page("/keys")["keys"]
    malformed = [3, {}, {"kty": "EC", "crv": "P-256", "x": 5, "y": [], "kid": {}}, {"kty": [], "kid": 3}]
    issuer.pages["/keys"] = {"keys": [*malformed, *keys, *malformed]}
    assert await verifier(issuer).verify_token(issuer.token(aud=RESOURCE))


async def test_metadata_and_keys_share_one_deadline(issuer: Issuer):
    issuer.delay_s = 0.2
    for fetch_timeout_s, known in ((60, True), (0.3, False)):
        keys = IssuerKeys(issuer.url, fetch_timeout_s=fetch_timeout_s)
        with nullcontext() if known else pytest.raises(KeyError):
            await keys.key("first")


async def test_an_issuer_that_does_not_answer_delays_no_token_with_a_known_key(issuer: Issuer):
    clock = Clock()
    one, token = verifier(issuer, clock=clock), issuer.token(aud=RESOURCE)
    assert await one.verify_token(token)
    invented = [issuer.token(aud=RESOURCE, key=name) for name in invent_keys(issuer, 50)]
    issuer.answers.clear()
    clock.now += MAX_AGE_S - 1
    requests = len(issuer.requests)
    async with anyio.create_task_group() as tasks:
        for each in invented:
            tasks.start_soon(one.verify_token, each)
        with anyio.fail_after(WITHIN_S):
            while len(issuer.requests) == requests:
                assert await one.verify_token(token)
                await checkpoint()
            refused = [await one.verify_token(each) for each in invented]  # too many wait already
            assert refused == [None] * 50
            assert await one.verify_token(token)
        assert len(issuer.requests) == requests + 1
        issuer.answers.set()


def invent_keys(issuer: Issuer, count: int) -> list[str]:
    """Add keys that are not published; return their ids."""
    issuer.pages["/keys"] = issuer.page("/keys")
    names = [f"invented {number}" for number in range(count)]
    issuer.keys |= dict.fromkeys(names, new_key())
    return names


def test_invented_keys_leave_the_server_free_for_others(issuer: Issuer, tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock, HttpConfig(oauth_issuer=issuer.url)) as (served, _):
        known = issuer.token(aud=served.url)
        assert served.initialize(**bearer(known)).status == 200
        issuer.answers.clear()
        clock.now += MAX_AGE_S - 1
        invented = [issuer.token(aud=served.url, key=name) for name in invent_keys(issuer, 2 * MAX_CALLS)]
        with ThreadPoolExecutor(len(invented)) as pool:
            waiting = [pool.submit(served.initialize, **bearer(token)) for token in invented]
            refused = list(islice(as_completed(waiting, WITHIN_S), len(waiting) - MAX_WAITING))
            assert served.initialize(**bearer(known)).status == 200
            assert not all(each.done() for each in waiting)
            issuer.answers.set()
            assert {each.result().status for each in refused} <= {401, 503}


@pytest.mark.parametrize("answers", [True, False])
async def test_a_withdrawn_key_is_refused_after_ten_minutes(issuer: Issuer, answers: bool):
    clock = Clock()
    one, token = verifier(issuer, clock=clock), issuer.token(aud=RESOURCE)
    assert await one.verify_token(token)
    issuer.pages["/keys"] = {"keys": []} if answers else b"not available"
    clock.now += MAX_AGE_S / 2 - 1
    assert await one.verify_token(token)
    if answers:  # it is asked again well before
        clock.now += 1
        assert await one.verify_token(token)
        with anyio.fail_after(WITHIN_S):
            while await one.verify_token(token):
                await checkpoint()
    clock.now += MAX_AGE_S / 2 + 1
    assert await one.verify_token(token) is None
    del issuer.pages["/keys"]
    clock.now += 10
    assert await one.verify_token(token)


async def test_a_failing_issuer_is_logged_once_a_minute(issuer: Issuer, caplog: pytest.LogCaptureFixture):
    clock = Clock()
    one, token = verifier(issuer, clock=clock), issuer.token(aud=RESOURCE)
    issuer.pages = {}
    for _ in range(12):
        assert await one.verify_token(token) is None
        clock.now += 10
    assert len(caplog.messages) == 2


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
        {"/keys": {"keys": {}}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": 3}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": "ftp://127.0.0.1/keys"}},
        {RFC8414: {"issuer": "{url}", "jwks_uri": "http://[::1/keys"}},
        {RFC8414: {"issuer": ["{url}"], "jwks_uri": "{url}/keys"}},
        {RFC8414: b"[" * 200_000},
        {RFC8414: b"\xff"},
        {RFC8414: b" " * (2 << 20)},
    ],
)
async def test_an_issuer_with_invalid_metadata_or_keys_refuses_every_token(
    issuer: Issuer, pages: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    issuer.pages |= {
        path: page if isinstance(page, bytes) else json.loads(json.dumps(page).replace("{url}", issuer.url))
        for path, page in pages.items()
    }
    with caplog.at_level(logging.WARNING):
        assert await verifier(issuer).verify_token(issuer.token(aud=RESOURCE)) is None
    assert "Cannot get the keys" in caplog.text


async def test_an_issuer_that_is_down_refuses_every_token_and_is_fetched_again():
    with Issuer() as issuer:
        clock = Clock()
        token, one = issuer.token(aud=RESOURCE), verifier(issuer, clock=clock)
        issuer.pages, pages = {}, issuer.pages
        assert await one.verify_token(token) is None
        issuer.pages = pages
        clock.now += 10
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
