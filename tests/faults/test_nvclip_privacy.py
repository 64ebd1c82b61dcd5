"""Keys, images and texts go to the configured service, and nowhere else; `tests/hostile` tests the client below."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import CxrError, EmbeddingRejected
from tests.standins.nvclip import StandIn, config_for, impatient_embedder, rendering

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "nvapi-canary-4711"
TEXT = "canary effusion of Mrs Example"


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture(scope="module")
def other() -> Iterator[StandIn]:
    """A second service, that nobody named."""
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(process: StandIn) -> StandIn:
    process.tell(fault=None, api_key=None)
    return process


FAULTS = [
    *({"kind": "status", "status": status} for status in (400, 401, 404, 413, 422, 429, 500)),
    *({"kind": kind} for kind in ("cut", "drop", "prose", "nan", "hang")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_no_error_and_no_log_line_holds_a_key_a_text_or_a_picture(
    standin: StandIn, fault: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    standin.tell(api_key=KEY)
    async with impatient_embedder(standin, config={"api_key": KEY}, images_deadline_s=0.8) as embedder:
        await embedder.fingerprint()
        standin.tell(fault={**fault, "times": 10**6})
        for call in (embedder.embed_images([rendering(1)]), embedder.embed_texts([TEXT])):
            with pytest.raises(CxrError) as caught:
                await call
            shown += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    shown += [record.getMessage() for record in caplog.records]
    picture = base64.b64encode(rendering(1).jpeg or b"").decode()
    for secret in (KEY, "canary", "Example", picture[-200:-100]):
        assert not any(secret in line for line in shown)


async def test_a_wrong_key_is_told_without_showing_it(standin: StandIn) -> None:
    standin.tell(api_key="another")
    async with impatient_embedder(standin, config={"api_key": KEY}) as embedder:
        with pytest.raises(EmbeddingRejected, match="NVIDIA_API_KEY") as caught:
            await embedder.embed_texts(["effusion"])
    assert KEY not in str(caught.value)


def test_a_key_is_in_no_repr(standin: StandIn) -> None:
    embedder = impatient_embedder(standin, config={"api_key": KEY})
    assert KEY not in repr(config_for(standin, api_key=KEY)) + repr(embedder)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_error_and_no_second_host_is_asked(
    standin: StandIn, other: StandIn, status: int
) -> None:
    other.tell()
    async with impatient_embedder(standin) as embedder:
        await embedder.fingerprint()
        target = {"Location": f"{other.base_url}/embeddings"}
        standin.fail("status", status=status, headers=target, times=10**6)
        with pytest.raises(EmbeddingRejected, match="not followed"):
            await embedder.embed_images([rendering(1)])
    assert other.requests == []


async def test_a_service_that_is_down_is_not_replaced_by_another_one(standin: StandIn, other: StandIn) -> None:
    other.tell()
    async with impatient_embedder(standin) as embedder:
        standin.fail("status", status=503, times=10**6)
        with pytest.raises(CxrError):
            await embedder.embed_images([rendering(1)])
    assert other.requests == []
