"""No error, log line or repr holds a key, text or image; `tests/hostile` tests the HTTP client below."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import CxrError, EmbeddingRejected
from tests.standins.nvclip import StandIn
from tests.support.nvclip_clients import config_for, embedder_for, rendering

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "nvapi-canary-4711"
TEXT = "canary effusion of Mrs Example"


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(process: StandIn) -> StandIn:
    process.configure(fault=None, api_key=None)
    return process


FAULTS = [
    *({"kind": "status", "status": status} for status in (400, 401, 404, 413, 422, 429, 500)),
    *({"kind": kind} for kind in ("cut", "drop", "prose", "nan", "hang")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_no_error_and_no_log_line_holds_a_key_a_text_or_an_image(
    standin: StandIn, fault: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    output: list[str] = []
    standin.configure(api_key=KEY)
    async with embedder_for(standin, config={"api_key": KEY}, images_deadline_s=0.8) as embedder:
        await embedder.fingerprint()
        standin.configure(fault={**fault, "times": 10**6})
        for call in (embedder.embed_images([rendering(1)]), embedder.embed_texts([TEXT])):
            with pytest.raises(CxrError) as caught:
                await call
            output += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    output += [record.getMessage() for record in caplog.records]
    image = base64.b64encode(rendering(1).jpeg or b"").decode()
    for secret in (KEY, "canary", "Example", image[-200:-100]):
        assert not any(secret in line for line in output)


async def test_a_wrong_key_is_reported_without_being_quoted(standin: StandIn) -> None:
    standin.configure(api_key="another")
    async with embedder_for(standin, config={"api_key": KEY}) as embedder:
        with pytest.raises(EmbeddingRejected, match="NVIDIA_API_KEY") as caught:
            await embedder.embed_texts(["effusion"])
    assert KEY not in str(caught.value)


def test_a_key_is_in_no_repr(standin: StandIn) -> None:
    embedder = embedder_for(standin, config={"api_key": KEY})
    assert KEY not in repr(config_for(standin, api_key=KEY)) + repr(embedder)
