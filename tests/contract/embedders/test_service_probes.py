"""What the client finds out about a service, and what it makes of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from mcp_cxr.embeddings.nvclip import FINE_TEXT_LENGTHS, TextLimit, seen_size
from mcp_cxr.errors import EmbeddingRejected
from tests.support.nvclip_clients import embedder_for, renderings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tests.standins.nvclip import StandIn

DEFAULTS: dict[str, Any] = {"fault": None, "bad": [], "vectors": "hash", "tokens": None, "image_size": None}
NAMES = ("nvidia/nvclip-vit-h-14", "nvidia/nvclip")


@pytest.fixture(params=["nim", "infinity", "vllm"])
def standin(request: pytest.FixtureRequest, standins: dict[str, StandIn]) -> StandIn:
    standins[request.param].configure(**DEFAULTS, version="2.0.0")
    return standins[request.param]


@pytest.fixture
def nim(standins: dict[str, StandIn]) -> Any:
    standins["nim"].configure(**DEFAULTS)
    yield standins["nim"]
    standins["nim"].configure(models=NAMES)


@pytest.fixture
def vllm(standins: dict[str, StandIn]) -> Any:
    standins["vllm"].configure(**DEFAULTS)
    yield standins["vllm"]
    standins["vllm"].configure(version="2.0.0")


def encode_jpeg(gray: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=95)
    return file.getvalue()


async def test_the_number_of_words_that_are_read_is_found(standin: StandIn) -> None:
    read = {"nim": 75, "infinity": 18, "vllm": 62}[standin.dialect]
    async with embedder_for(standin) as embedder:
        assert await embedder.probes.text_limit(FINE_TEXT_LENGTHS) == TextLimit(read, read, 200)


@pytest.mark.parametrize(("tokens", "found"), [(20, (17, 32)), (64, (61, 72)), (77, (73, 144)), (8192, (288, None))])
async def test_a_coarse_search_tells_the_known_limits_apart(
    standin: StandIn, tokens: int, found: tuple[int, int | None]
) -> None:
    standin.configure(tokens=tokens)
    async with embedder_for(standin) as embedder:
        assert await embedder.probes.text_limit() == TextLimit(*found, 200)


@pytest.mark.parametrize(("tokens", "words"), [(20, 10), (64, 38), (77, 45)])
async def test_words_that_are_surely_read_follow_from_the_limit(standin: StandIn, tokens: int, words: int) -> None:
    standin.configure(tokens=tokens)
    async with embedder_for(standin) as embedder:
        await embedder.embed_texts(["effusion"])
        assert embedder.max_text_words == 45
        await embedder.embed_texts(["opacity " * 11])
        assert embedder.max_text_words == words


async def test_a_short_text_costs_no_request_for_the_limit(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        await embedder.fingerprint()
        standin.configure()
        await embedder.embed_texts(["opacity " * 10])
        assert len(standin.requests) == 1


async def test_texts_that_are_cut_to_the_same_words_may_share_a_vector(standin: StandIn) -> None:
    standin.configure(tokens=20)
    alike = "opacity " * 20
    async with embedder_for(standin) as embedder:
        await embedder.fingerprint()
        standin.configure()
        one, other = await embedder.embed_texts([alike + "left", alike + "right"])
        assert (one == other).all()
        assert len(standin.requests) == 2


async def test_a_long_text_is_cut_by_vllm_as_the_request_asks(vllm: StandIn) -> None:
    async with embedder_for(vllm) as embedder:
        assert (await embedder.embed_texts(["opacity " * 84])).shape == (1, 1152)


@pytest.mark.parametrize("version", ["0.18.0", "0.28.1"])
async def test_a_vllm_that_ignores_padding_is_refused(vllm: StandIn, version: str) -> None:
    vllm.configure(version=version)
    async with embedder_for(vllm) as embedder:
        padding = await embedder.probes.padding()
        assert padding
        assert (padding.is_applied, padding.cosine) == (False, pytest.approx(1))
        with pytest.raises(EmbeddingRejected, match=rf"{version}.*ignores padding.*0\.29 or later"):
            await embedder.embed_images(renderings(1))


async def test_a_vllm_that_pads_is_used(vllm: StandIn) -> None:
    vllm.configure(version="0.29.0")
    async with embedder_for(vllm) as embedder:
        padding = await embedder.probes.padding()
        assert padding
        assert padding.is_applied
        await embedder.embed_texts(["effusion"])


async def test_a_vllm_without_images_is_told_by_its_version(vllm: StandIn) -> None:
    vllm.configure(version="0.17.1")
    async with embedder_for(vllm) as embedder:
        with pytest.raises(EmbeddingRejected, match=r"404.*vLLM is 0\.29 or later"):
            await embedder.fingerprint()


async def test_padding_is_asked_for_where_the_model_needs_it_only(standin: StandIn) -> None:
    async with embedder_for(standin) as embedder:
        assert (await embedder.probes.padding() is None) == (standin.dialect != "vllm")


@pytest.mark.parametrize("served", NAMES)
@pytest.mark.parametrize("configured", NAMES)
async def test_the_other_name_of_nvclip_is_tried_once_and_kept(nim: StandIn, served: str, configured: str) -> None:
    nim.configure(models=[served])
    async with embedder_for(nim, config={"model": configured}) as embedder:
        fingerprint = await embedder.fingerprint()
        assert await embedder.probes.model_names() == {name: 200 if name == served else 404 for name in NAMES}
        nim.configure()
        await embedder.embed_texts(["effusion"])
    assert fingerprint.model == NAMES[0]
    assert len(nim.requests) == 1


async def test_a_service_that_serves_neither_name_is_refused_by_the_configured_one(nim: StandIn) -> None:
    nim.configure(models=["another"])
    async with embedder_for(nim) as embedder:
        for _ in range(2):
            nim.configure()
            with pytest.raises(EmbeddingRejected, match=r"404.*NVCLIP_MODEL"):
                await embedder.fingerprint()
            assert [path for _, path, _ in nim.requests] == ["/v1/metadata", *["/v1/embeddings"] * 2]


async def test_other_models_have_one_name(vllm: StandIn) -> None:
    async with embedder_for(vllm) as embedder:
        assert await embedder.probes.model_names() == {}


async def test_a_batch_beyond_the_limit_is_told_by_its_status(standin: StandIn) -> None:
    limit = 32 if standin.dialect == "infinity" else 64
    async with embedder_for(standin) as embedder:
        whole = await embedder.probes.image_batch(limit)
        more = await embedder.probes.image_batch(limit + 1)
    assert (whole.status, whole.cosine) == (200, pytest.approx(1))
    assert (more.status, more.cosine is None) == ((200, False) if standin.dialect == "vllm" else (422, True))


@pytest.mark.parametrize("size", [224, 384, 448])
async def test_the_size_that_the_model_reads_is_found(standin: StandIn, size: int) -> None:
    standin.configure(image_size=size)
    async with embedder_for(standin) as embedder:
        assert seen_size(await embedder.probes.pattern_differences(encode_jpeg)) == size


def test_no_size_is_seen_if_no_pattern_makes_a_difference() -> None:
    assert seen_size({224: 1e-6, 448: 0.0}) is None


@pytest.mark.parametrize(
    ("kind", "is_base64", "first"), [("none", True, 0), ("floats", False, 0), ("from_one", True, 1)]
)
async def test_the_shape_of_a_reply_is_told(standin: StandIn, kind: str, is_base64: bool, first: int) -> None:
    standin.fail(kind, times=1)
    async with embedder_for(standin) as embedder:
        shape = await embedder.probes.reply_shape()
    assert (shape.is_base64, shape.first_index, shape.dimension) == (is_base64, first, standin.dimension)
    assert shape.norm == pytest.approx(1)


@pytest.mark.parametrize("dialect", ["nim", "vllm"])
async def test_an_address_without_v1_is_told_with_the_right_one(standins: dict[str, StandIn], dialect: str) -> None:
    standin = standins[dialect]
    root = standin.base_url.removesuffix("/v1")
    async with embedder_for(standin, config={"base_url": root}) as embedder:
        with pytest.raises(EmbeddingRejected, match=f"NVCLIP_BASE_URL lacks /v1; set it to {root}/v1"):
            await embedder.fingerprint()


async def test_an_address_of_infinity_with_v1_is_told(standins: dict[str, StandIn]) -> None:
    standin = standins["infinity"]
    async with embedder_for(standin, config={"base_url": f"{standin.base_url}/v1"}) as embedder:
        with pytest.raises(EmbeddingRejected, match="remove /v1 from NVCLIP_BASE_URL"):
            await embedder.fingerprint()
