"""The figures of `evaluate` over the whole way: images, reports and labels on disk, a real client, a service.

The simulated server makes vectors from what an image or a text is said to show, so that the right figures are known to
be high; with vectors that mean nothing they must be chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.errors import EmbeddingError
from mcp_cxr.evaluate import EvaluationPlan
from mcp_cxr.images import read_image
from mcp_cxr.records import ImageSpec
from tests.standins.nvclip import StandIn, digest
from tests.support.archives import ingested_in_memory, opened_in_memory
from tests.support.companions import labels
from tests.support.image_files import mimic, report
from tests.support.nvclip_clients import embedder_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_cxr.evaluate import Evaluation

STUDIES = 60
SPEC = ImageSpec(size=32, mode="RGB", jpeg_quality=95)
PROMPTS = {"Edema": ("edema",), "Pneumonia": ("pneumonia",)}


@dataclass(frozen=True, slots=True)
class Served:
    standin: StandIn
    meant: Path
    """With vectors made from the findings."""
    blind: Path
    """With random vectors."""

    async def evaluated(self, data: Path, *protocols: str) -> Evaluation:
        plan = EvaluationPlan(protocols=protocols, prompts=PROMPTS, resamples=40)
        async with opened_in_memory(data, embedder_for(self.standin)) as archive:
            return await archive.evaluate(plan)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    shown = [[name for name, has in (("edema", n % 2), ("pneumonia", n % 3 == 0)) if has] for n in range(STUDIES)]
    images = [mimic(folder / "films", number) for number in range(STUDIES)]
    for image, found in zip(images, shown, strict=True):
        report(image, f"IMPRESSION: {' and '.join(found) or 'Clear lungs'}, on film {image.stem[:8]}.")
    rows = [(f"10{n:06}", f"5{n:07}", n % 2, int(n % 3 == 0)) for n in range(STUDIES)]
    labels(folder / "films", *rows)
    told = {
        digest(read_image(image, SPEC).rendering.jpeg or b""): found for image, found in zip(images, shown, strict=True)
    }
    with StandIn() as standin:
        anyio.run(ingested_in_memory, folder / "blind", folder / "films", embedder_for(standin))
        standin.configure(vectors="labels", labels=told, noise=0.5)
        anyio.run(ingested_in_memory, folder / "meant", folder / "films", embedder_for(standin))
        yield Served(standin, folder / "meant", folder / "blind")


async def test_evaluation_of_informative_vectors_is_above_chance(served: Served) -> None:
    evaluation = await served.evaluated(served.meant, "labels", "similar", "rankings")
    for protocol, one in evaluation.figures():
        if one.name == "P@10" and one.chance is not None:
            assert one.low is not None
            assert one.low > one.chance, (protocol, one.of)
    assert evaluation.model == "nvidia/nvclip-vit-h-14"
    assert evaluation.dimension == 1024
    assert evaluation.service


async def test_evaluation_of_random_vectors_is_chance(served: Served) -> None:
    evaluation = await served.evaluated(served.blind, "labels", "reports", "similar")
    whole = [one for _, one in evaluation.figures() if not one.of and one.name in ("mAP", "MRR", "P@10")]
    assert len(whole) == 4
    for one in whole:
        assert one.chance is not None
        assert abs(one.value - one.chance) < 0.15, one.name


async def test_an_unreachable_service_is_reported_and_nothing_is_measured_instead(served: Served) -> None:
    served.standin.stop()
    try:
        for protocol in ("labels", "reports", "negation", "rankings"):
            with pytest.raises(EmbeddingError):
                await served.evaluated(served.meant, protocol)
        (images,) = (await served.evaluated(served.meant, "similar")).protocols  # needs no service
        assert images.skipped is None
    finally:
        served.standin.start()
