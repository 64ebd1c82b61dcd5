"""Archives of drawings, ingested with the demonstration encoder: every second dozen of studies has no report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.archive import mark_as_demo, open_archive
from mcp_cxr.demo import ENCODER_FOLDER, write_data_set
from tests.server.archives import environment, settings
from tests.support.iris import plain_server, variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.demo import DemoDataSet, PhantomFinding
    from mcp_cxr.records import Hit, StudyId
    from mcp_cxr.settings import Settings

STUDIES, SEED = 60, 31
"""A seed of the bench's kind: training saw none of its patients."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An archive, and what each of its studies was drawn with."""

    variables: dict[str, str]
    data_set: DemoDataSet

    @property
    def settings(self) -> Settings:
        return settings(self.variables)

    @property
    def unreported(self) -> set[StudyId]:
        """The studies without a report."""
        return {image.study_id for image in self.data_set.images if not image.path.parent.with_suffix(".txt").exists()}

    def showing(self, kind: str, *, side: str | None = None) -> set[StudyId]:
        """Return the studies drawn with a finding, on a side if one is named."""

        def answers(finding: PhantomFinding) -> bool:
            return finding.kind == kind and side in (None, finding.side)

        return {image.study_id for image in self.data_set.images if any(map(answers, image.findings))}


def studies(hits: Sequence[Hit]) -> list[str]:
    return [hit.study_id for hit in hits]


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DemoDataSet:
    folder = tmp_path_factory.mktemp("drawings")
    return write_data_set(folder, studies=STUDIES, seed=SEED, withhold_reports=True)


@pytest.fixture(scope="module")
def embedded(data_set: DemoDataSet, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return _ingested(data_set, environment(tmp_path_factory.mktemp("embedded"), share="reports,images"))


@pytest.fixture(scope="module", params=["embedded", "iris"])
def drawn(request: pytest.FixtureRequest, data_set: DemoDataSet, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """The archive in each store."""
    if request.param == "embedded":
        return request.getfixturevalue("embedded")
    data = tmp_path_factory.mktemp("iris")
    return _ingested(data_set, variables(plain_server(), **environment(data, share="reports,images")))


def _ingested(data_set: DemoDataSet, base: dict[str, str]) -> Drawn:
    made = Drawn({**base, "MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(ENCODER_FOLDER)}, data_set)
    mark_as_demo(made.settings.data_dir)

    async def ingest() -> None:
        async with open_archive(made.settings) as archive:
            summary = await archive.ingest(data_set.folder)
            assert summary.added == len(data_set.images)

    anyio.run(ingest)
    return made
