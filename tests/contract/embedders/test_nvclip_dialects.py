"""The requests of each dialect, and that the simulated server refuses what the real service would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.records import Rejection
from tests.standins.nvclip import digest
from tests.standins.nvclip._state import State
from tests.standins.nvclip._vectors import vector
from tests.support.nvclip_clients import embedder_for, rendering, renderings

if TYPE_CHECKING:
    from tests.standins.nvclip import StandIn

PATHS = {
    "nim": ("/v1/embeddings", "/v1/embeddings"),
    "infinity": ("/embeddings", "/embeddings"),
    "vllm": ("/v2/embed", "/v1/embeddings"),
}


@pytest.fixture(params=list(PATHS))
def standin(request: pytest.FixtureRequest, standins: dict[str, StandIn]) -> StandIn:
    standins[request.param].configure(fault=None, bad=[], vectors="hash")
    return standins[request.param]


def post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    reply = httpx.post(url, json=body, trust_env=False)
    return reply.status_code, reply.json()


async def test_batches_have_the_largest_size_the_service_accepts(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        await embedder.fingerprint()
        standin.configure()
        await embedder.embed_images(renderings(100))
        await embedder.embed_texts(["effusion"])
    image_path, text_path = PATHS[standin.dialect]
    sizes = sorted(items for _, path, items in standin.requests[:-1] if path == image_path)
    assert sizes == ([4, 32, 32, 32] if standin.dialect == "infinity" else [36, 64])
    assert standin.requests[-1] == ("POST", text_path, 1)


async def test_the_fingerprint_holds_the_version_of_the_service(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        fingerprint = await embedder.fingerprint()
    service = {"nim": "2.0.0 nvclip-vit-h-14:fp16", "infinity": "torch float16 2.0.0", "vllm": "2.0.0"}
    assert (fingerprint.dialect, fingerprint.service) == (standin.dialect, service[standin.dialect])
    assert fingerprint.dimension == standin.dimension


async def test_check_requests_the_health_address_of_the_dialect(standin: StandIn) -> None:
    standin.configure()
    async with embedder_for(standin) as embedder:
        await embedder.check()
    health = {"nim": "/v1/health/ready", "infinity": "/health", "vllm": "/health"}
    assert standin.requests[0][:2] == ("GET", health[standin.dialect])


async def test_white_space_in_a_text_makes_no_difference(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        one, other = await embedder.embed_texts(["left  pleural\n\teffusion\u2028", "left pleural effusion"])
    np.testing.assert_array_equal(one, other)


async def test_texts_are_padded_for_siglip(standins: dict[str, StandIn]) -> None:
    standin = standins["vllm"]
    padded = vector(b"effusion", is_image=False, state=State(models=(), dimension=standin.dimension))
    async with embedder_for(standin) as embedder:
        np.testing.assert_allclose((await embedder.embed_texts(["effusion"]))[0], padded, atol=1e-6)


async def test_an_unknown_model_is_a_configuration_error(standin: StandIn) -> None:
    async with embedder_for(standin, config={"model": "nobody/nothing"}) as embedder:
        with pytest.raises(EmbeddingRejected, match="NVCLIP_MODEL"):
            await embedder.embed_images(renderings(3))


async def test_a_wrong_dialect_is_a_configuration_error(standin: StandIn) -> None:
    wrong = {"nim": "infinity", "infinity": "vllm", "vllm": "nim"}[standin.dialect]
    async with embedder_for(standin, config={"dialect": wrong}) as embedder:
        with pytest.raises(EmbeddingRejected, match="NVCLIP_DIALECT"):
            await embedder.embed_images(renderings(3))


async def test_images_that_are_read_as_texts_are_detected(standins: dict[str, StandIn]) -> None:
    async with embedder_for(standins["infinity"], config={"dialect": "nim"}) as embedder:
        with pytest.raises(EmbeddingRejected, match="same vector for different inputs"):
            await embedder.embed_images(renderings(3))


async def test_one_bad_image_is_rejected_alone(standin: StandIn) -> None:
    standin.configure(bad=[digest(rendering(7).jpeg or b"")], bad_status=400)
    async with embedder_for(standin) as embedder:
        found = await embedder.embed_images(renderings(20))
    assert [number for number, row in enumerate(found) if isinstance(row, Rejection)] == [7]


async def test_words_find_the_images_that_they_name(standin: StandIn) -> None:
    names = ["Edema", "Pneumothorax", "Cardiomegaly", "Fracture"]
    labels = {digest(rendering(n).jpeg or b""): [names[n % 4]] for n in range(80)}
    standin.configure(vectors="labels", labels=labels, noise=2.0)
    async with embedder_for(standin) as embedder:
        images = np.array(await embedder.embed_images(renderings(80)))
        text = (await embedder.embed_texts(["image with cardiomegaly"]))[0]
    best = np.argsort(-(images @ text))[:20]
    assert sum(n % 4 == 2 for n in best) >= 18


async def test_the_aliases_of_a_model_share_a_fingerprint(standins: dict[str, StandIn]) -> None:
    async with (
        embedder_for(standins["nim"], config={"model": "nvidia/nvclip"}) as short,
        embedder_for(standins["nim"]) as long,
    ):
        assert await short.fingerprint() == await long.fingerprint()


REFUSED = [
    ({"input": ["a"] * 65}, 422),
    ({"input": []}, 422),
    ({"input": ["two\nlines"]}, 422),
    ({"input": ["a"], "modality": "text"}, 422),
    ({"input": ["a"], "encoding_format": "hex"}, 422),
    ({"input": ["data:image/jpeg;base64,AAAA"]}, 422),
    ({"input": ["a"], "model": "nobody/nothing"}, 404),
]


@pytest.mark.parametrize(("change", "status"), REFUSED)
def test_the_stand_in_refuses_what_the_nim_would(
    standins: dict[str, StandIn], change: dict[str, Any], status: int
) -> None:
    body = {"input": ["a"], "model": "nvidia/nvclip", **change}
    code, problem = post(f"{standins['nim'].base_url}/embeddings", body)
    assert code == problem["status"] == status


def test_the_stand_in_of_infinity_accepts_one_modality_per_request(standins: dict[str, StandIn]) -> None:
    standin = standins["infinity"]
    body = {"input": ["a"], "model": standin.model, "modality": "image"}
    code, error = post(f"{standin.base_url}/embeddings", body)
    assert code == 422
    assert set(error) == {"error"}
