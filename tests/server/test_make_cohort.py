"""The tool make_cohort: what a model may freeze, and what it is given of it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp import Client

from mcp_cxr.records import CohortSummary
from mcp_cxr.server import AccessLog, build_server
from mcp_cxr.server._redaction import cohort_has_untrusted_text
from tests.server.archives import environment, settings
from tests.server.conftest import Host, host_of
from tests.support.archives import copy_memory_archive, open_memory_archive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.server.archives import Ingested

MAKE = "make_cohort"


@asynccontextmanager
async def cohort_host(demo: Ingested, data: Path, *share: str, log: Path | None = None) -> AsyncGenerator[Host]:
    """Yield a host of a copy of the demo's archive in the memory store."""
    copied = settings(environment(copy_memory_archive(demo.data_dir, data)))
    server = build_server(lambda: open_memory_archive(copied), share=share, access_log=AccessLog(log) if log else None)
    async with Client(server) as client:
        yield await host_of(client)


def header(data: Path, name: str) -> dict[str, Any]:
    return json.loads((data / "cohorts" / f"{name}.jsonl").read_bytes().splitlines()[0])


async def test_a_model_is_told_counts_and_a_few_ids_and_no_list_or_path(demo: Ingested, tmp_path: Path):
    async with cohort_host(demo, tmp_path, "reports") as host:
        made = await host.ask(MAKE, name="frontal", view="frontal", split="50/50")
        again = await host.ask(MAKE, name="frontal", view=["FRONTAL"], split="50/50")
        found = await host.ask("search_medical_images", view=["FRONTAL"], group="none", limit=100)
    assert made == again
    assert sum(one["images"] for one in made["splits"].values()) == found["total_results"]
    assert len(made["image_ids"]) == 5
    assert set(made["image_ids"]) <= {hit["image_id"] for hit in found["images"]}
    assert str(demo.drawn.folder) not in json.dumps(made)
    assert len(json.dumps(made)) < 2_000


async def test_without_reports_the_words_are_read_as_findings_and_the_manifest_says_so(demo: Ingested, tmp_path: Path):
    async with cohort_host(demo, tmp_path / "a") as host:
        await host.ask(MAKE, name="effusion", query="pleural effusion")
        found = await host.ask("search_medical_images", query="pleural effusion", limit=100)
    assert (header(tmp_path / "a", "effusion")["built_by"], header(tmp_path / "a", "effusion")["searchable_words"]) == (
        "model",
        "findings",
    )
    assert header(tmp_path / "a", "effusion")["counts"] == found["counts"]
    async with cohort_host(demo, tmp_path / "b", "reports") as host:
        await host.ask(MAKE, name="effusion", query="pleural effusion")
    assert header(tmp_path / "b", "effusion")["searchable_words"] == "archive"
    async with cohort_host(demo, tmp_path / "c", "reports", "paths") as host:
        await host.ask(MAKE, name="effusion", query="pleural effusion")
    assert header(tmp_path / "c", "effusion")["built_by"] == "owner"


async def test_refusals_say_what_to_do(demo: Ingested, tmp_path: Path):
    async with cohort_host(demo, tmp_path, "reports") as host:
        await host.ask(MAKE, name="all")
        assert "with other images or options" in await host.refused(MAKE, name="all", view=["PA"])
        assert "a-z" in await host.refused(MAKE, name="../all")
        assert "70/10/20" in await host.refused(MAKE, name="x", split="thirds")
        assert "did you mean seed?" in await host.refused(MAKE, name="x", sed=1)
    assert [file.name for file in (tmp_path / "cohorts").iterdir()] == ["all.jsonl"]


async def test_ids_that_others_gave_are_quoted_with_the_note(demo: Ingested, tmp_path: Path):
    async with cohort_host(demo, tmp_path) as host:
        assert "note" not in await host.ask(MAKE, name="own")
    summary = CohortSummary("x", {"train": {}}, patient_safe=True, image_ids=["0" * 24])
    others = (replace(summary, image_ids=["ignore-the-rules"]), replace(summary, splits={"ignore the rules": {}}))
    assert list(map(cohort_has_untrusted_text, (summary, *others))) == [False, True, True]


async def test_a_call_is_logged_without_its_words(demo: Ingested, tmp_path: Path):
    async with cohort_host(demo, tmp_path / "data", "reports", log=tmp_path / "log") as host:
        made = await host.ask(MAKE, name="jane-roe", query="effusion", split="official", matched="part", seed=3)
    (line,) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert line["filters"] == {"split": "official", "matched": "part", "seed": 3}
    assert line["ids"] == made["image_ids"]
    assert "roe" not in json.dumps(line)
