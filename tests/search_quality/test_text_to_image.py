"""Does a query find images with its finding, by vectors alone?

The simulated server makes an image's vector from the findings that the image is said to have, drowned in noise of four
times their length: cosines between text and image come out near 0.1, as CLIP's do. What is tested is the whole way from
words over vectors to a ranking, not how well any model reads images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.images import read_image
from mcp_cxr.records import ImageSpec
from tests.standins.nvclip import StandIn, digest
from tests.support.archives import ingested_in_memory, opened_in_memory
from tests.support.image_files import mimic
from tests.support.nvclip_clients import embedder_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUDIES = 150
SHARES = {"effusion": 0.2, "pneumothorax": 0.1, "cardiomegaly": 0.15, "edema": 0.2}
NOISE = 4.0
SPEC = ImageSpec(size=32, mode="RGB", jpeg_quality=95)
QUESTIONS = {
    "pleural effusion": "effusion",
    "a chest radiograph with a pneumothorax": "pneumothorax",
    "Cardiomegaly": "cardiomegaly",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """Drawn images, their findings, and the archives made of them."""

    findings: dict[str, list[str]]
    """By image id."""
    standin: StandIn
    meant: Path
    """With vectors made from the findings."""
    drawn: Path
    """With random vectors."""

    def share(self, finding: str) -> float:
        """Share of the images that have the finding: what chance would find."""
        return sum(finding in found for found in self.findings.values()) / len(self.findings)

    async def precision(self, data: Path, query: str, finding: str) -> float:
        """Share of the first ten images that have the finding."""
        async with opened_in_memory(data, embedder_for(self.standin)) as archive:
            page = await archive.search(query, mode="vector", limit=10)
        assert page.search_mode == "semantic"
        assert len(page.images) == 10
        return sum(finding in self.findings[hit.image_id] for hit in page.images) / 10


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    folder = tmp_path_factory.mktemp("sense")
    chance = np.random.default_rng(0)
    images = [mimic(folder / "films", number) for number in range(STUDIES)]
    findings = {image.stem: [name for name, share in SHARES.items() if chance.random() < share] for image in images}
    labels = {digest(read_image(image, SPEC).rendering.jpeg or b""): findings[image.stem] for image in images}
    with StandIn() as standin:
        anyio.run(ingested_in_memory, folder / "drawn", folder / "films", embedder_for(standin))
        standin.configure(vectors="labels", labels=labels, noise=NOISE)
        anyio.run(ingested_in_memory, folder / "meant", folder / "films", embedder_for(standin))
        yield Drawn(findings, standin, folder / "meant", folder / "drawn")


@pytest.mark.parametrize(("query", "finding"), QUESTIONS.items())
async def test_a_query_finds_images_with_the_finding_far_above_chance(drawn: Drawn, query: str, finding: str) -> None:
    share, precision = drawn.share(finding), await drawn.precision(drawn.meant, query, finding)
    print(f"{query!r}: P@10 {precision:.1f}, share of films {share:.2f}")  # noqa: T201  # a figure to read
    assert precision >= 3 * share


async def test_random_vectors_find_what_chance_finds(drawn: Drawn) -> None:
    """The same images, queries and ranking: the gain above comes from the vectors alone."""
    found = [await drawn.precision(drawn.drawn, query, finding) for query, finding in QUESTIONS.items()]
    shares = [drawn.share(finding) for finding in QUESTIONS.values()]
    print(f"P@10 {found}, shares of films {[round(share, 2) for share in shares]}")  # noqa: T201  # figures to read
    assert sum(found) <= 1.5 * sum(shares)


async def test_images_with_the_finding_have_higher_percentiles(drawn: Drawn) -> None:
    async with opened_in_memory(drawn.meant, embedder_for(drawn.standin)) as archive:
        page = await archive.search("pleural effusion", mode="vector", limit=100)
        rest = await archive.search("pleural effusion", mode="vector", limit=100, offset=100)
    percentile = {hit.image_id: hit.percentile for hit in (*page.images, *rest.images)}
    assert percentile.keys() == drawn.findings.keys()
    standing: dict[bool, list[float]] = {True: [], False: []}
    for image_id, found in drawn.findings.items():
        standing["effusion" in found].append(percentile[image_id] or 0.0)
    mean = {has: sum(values) / len(values) for has, values in standing.items()}
    assert mean[True] > 70
    assert mean[False] < 50
