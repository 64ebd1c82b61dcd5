"""What `doctor --deep` finds out about an embedding service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.server_check import Parts, check_embedding_service
from tests.server_check.conftest import differences
from tests.standins.nvclip import StandIn
from tests.support.nvclip_clients import embedder_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.server_check._record import ServiceRecord

SIZES = {"nim": 224, "infinity": 224, "vllm": 448}
VERSIONS = {"nim": "2.0.0", "infinity": "2.0.0", "vllm": "0.33.0"}
NAMES = ("nvidia/nvclip-vit-h-14", "nvidia/nvclip")
DEFAULTS: dict[str, Any] = {"fault": None, "tokens": None, "canary": "", "api_key": None}


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, StandIn]]:
    with StandIn("nim") as nim, StandIn("infinity") as infinity, StandIn("vllm", dimension=1152) as vllm:
        yield {"nim": nim, "infinity": infinity, "vllm": vllm}


def configured(services: dict[str, StandIn], dialect: str, **more: Any) -> StandIn:
    models = {"models": NAMES} if dialect == "nim" else {}
    known = {**DEFAULTS, **models, "image_size": SIZES[dialect], "version": VERSIONS[dialect]}
    services[dialect].configure(**{**known, **more})
    return services[dialect]


async def ask(standin: StandIn) -> ServiceRecord:
    async with embedder_for(standin) as embedder:
        return await check_embedding_service(
            embedder.probes,
            Parts(),
            dialect=standin.dialect,  # pyright: ignore[reportArgumentType]  # one of three
            model=standin.model,
            image_size=SIZES[standin.dialect],
        )


async def test_a_service_as_specified_is_as_expected(services: dict[str, StandIn]) -> None:
    found = await ask(configured(services, "nim"))
    assert differences(embedder=found) == {}
    assert (found.service.version, found.images.seen_size) == ("2.0.0", 224)
    assert [pace.images_per_s > 0 for pace in found.images.paces] == [True] * 5
    assert len(found.texts.cosines) == 9


async def test_a_vllm_that_ignores_padding_is_named(services: dict[str, StandIn]) -> None:
    found = differences(embedder=await ask(configured(services, "vllm", version="0.28.1")))
    assert set(found) == {"padding"}
    assert "Use vLLM 0.29 or later" in found["padding"]


async def test_the_words_that_infinity_cuts_are_named(services: dict[str, StandIn]) -> None:
    record = await ask(configured(services, "infinity"))
    assert set(differences(embedder=record)) == {"words read"}
    assert record.texts.words_at_most == 18


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        (
            {"fault": {"kind": "floats", "times": 999}, "version": "latest", "ready": False},
            {"base64", "service version", "health"},
        ),
        ({"models": NAMES[1:]}, {"model name"}),
        ({"image_size": 448}, {"image size"}),
        ({"max_body": 100_000}, {"full batch", "part images"}),
    ],
)
async def test_each_difference_of_a_service_is_named(
    services: dict[str, StandIn], setting: dict[str, Any], names: set[str]
) -> None:
    found = await ask(configured(services, "nim", **{"ready": True, "max_body": 1 << 30, **setting}))
    assert set(differences(embedder=found)) == names


async def test_a_refused_key_fails_each_part(services: dict[str, StandIn]) -> None:
    standin = configured(services, "nim", api_key="another", ready=True, max_body=1 << 30)
    found = await ask(standin)
    assert {answer.status for answer in found.service.answers} == {401}
    assert {"part service", "part texts", "part images", "health"} < set(differences(embedder=found))
