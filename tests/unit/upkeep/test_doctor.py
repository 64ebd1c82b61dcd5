"""The doctor finds each fault by itself, and says what to do about it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.embeddings import NvclipConfig, NvclipEmbedder
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import CheckResult, examine
from tests.standins.nvclip import StandIn, impatient_embedder
from tests.support.archives import DATABASE, ingested, opened, rows
from tests.support.films import mimic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "nvapi-not-to-be-seen"
LOOK = "check that its container runs, the tunnel to it, and NVCLIP_BASE_URL"


@pytest.fixture(scope="module")
def started() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(started: StandIn) -> StandIn:
    """The service, sound."""
    started.tell(api_key=None, ready=True, vectors="hash", fault=None, version="2.0.0")
    return started


@pytest.fixture
async def data(standin: StandIn, tmp_path: Path) -> Path:
    """An archive of three films."""
    for number in range(3):
        mimic(tmp_path / "films", number)
    await ingested(tmp_path / "data", tmp_path / "films", impatient_embedder(standin))
    return tmp_path / "data"


async def found(data: Path, embedder: NvclipEmbedder) -> dict[str, CheckResult]:
    """Return the findings by name."""
    async with opened(data, embedder) as archive:
        return {finding.name: finding for finding in await archive.doctor()}


def faults(findings: dict[str, CheckResult]) -> dict[str, str | None]:
    """Return what is wrong, with the advice."""
    return {finding.name: finding.advice for finding in findings.values() if not finding.ok}


async def test_where_all_is_well_each_part_says_what_it_is(standin: StandIn, data: Path, tmp_path: Path) -> None:
    findings = await found(data, impatient_embedder(standin))
    assert {name: (finding.ok, finding.advice) for name, finding in findings.items()} == dict.fromkeys(
        ("embedder", "store", "fingerprint", "root"), (True, None)
    )
    space = "nvidia/nvclip-vit-h-14, 1024 dimensions, preprocessing test-1"
    assert findings["embedder"].detail.startswith(f"{space}, nim 2.0.0 nvclip-vit-h-14:fp16; one picture ")
    assert findings["embedder"].detail.endswith(" ms")
    assert findings["store"].detail == f"{data / DATABASE}: 3 images"
    assert findings["fingerprint"].detail == f"made with {space}"
    assert findings["root"].detail == str(tmp_path / "films")
    assert findings["root"].as_dict() == {"name": "root", "ok": True, "detail": findings["root"].detail, "advice": None}


@pytest.mark.parametrize(
    ("orders", "advice"),
    [
        ({"ready": False}, "is up, but not ready: it may still load its model; try again"),
        ({"api_key": "another"}, "answers 401: it wants a key, or another one; check NVIDIA_API_KEY"),
        ({"fault": {"kind": "status", "status": 403, "times": 99}}, "403: it refuses the key; check NVIDIA_API_KEY"),
        (
            {"fault": {"kind": "status", "status": 404, "times": 99}},
            "knows no such address or model; check NVCLIP_BASE",
        ),
        ({"fault": {"kind": "status", "status": 503, "times": 99}}, f"answers 503; {LOOK}"),
        ({"fault": {"kind": "hang", "times": 99}}, LOOK),
        ({"fault": {"kind": "zero", "times": 99}}, "self-check: it answers with vectors that are zero"),
        ({"fault": {"kind": "nan", "times": 99}}, "self-check: it answers with numbers that are not finite"),
        ({"fault": {"kind": "constant", "times": 99}}, "self-check: it answers with the same vector"),
        ({"vectors": "blind"}, "self-check: it answers with the same vector"),
    ],
)
async def test_a_fault_of_the_service_is_told_with_what_to_do_and_hides_nothing_else(
    standin: StandIn, data: Path, caplog: pytest.LogCaptureFixture, orders: dict[str, Any], advice: str
) -> None:
    caplog.set_level(logging.DEBUG)
    standin.tell(**orders)
    findings = await found(data, impatient_embedder(standin, config={"api_key": KEY}))
    (told,) = faults(findings).values()
    assert told
    assert advice in told
    assert findings["embedder"].detail == "nvidia/nvclip-vit-h-14"
    assert findings["store"].detail.endswith(": 3 images")
    assert KEY not in repr(findings) + "".join(record.getMessage() for record in caplog.records)


async def test_nothing_that_listens_is_told_with_what_to_look_at(data: Path) -> None:
    with StandIn() as gone:
        pass
    (told,) = faults(await found(data, impatient_embedder(gone))).values()
    assert told
    assert "cannot be reached (connection refused" in told
    assert LOOK in told


@pytest.mark.parametrize("dialect", ["infinity", "vllm"])
async def test_a_wrong_dialect_is_told_by_its_variable(standin: StandIn, data: Path, dialect: str) -> None:
    (told,) = faults(await found(data, impatient_embedder(standin, config={"dialect": dialect}))).values()
    assert told
    assert "check NVCLIP_BASE_URL, NVCLIP_DIALECT and NVCLIP_MODEL" in told


async def test_a_model_that_is_not_served_is_told_by_its_variable(standin: StandIn, data: Path) -> None:
    (told,) = faults(await found(data, impatient_embedder(standin, config={"model": "other"}))).values()
    assert told
    assert "NVCLIP_MODEL" in told


async def test_an_archive_of_another_model_is_told_with_its_model(data: Path) -> None:
    with StandIn("vllm", dimension=1152) as other:
        findings = await found(data, impatient_embedder(other))
    (told,) = faults(findings).values()
    assert told == "Set the embedder this archive was made with (nvidia/nvclip-vit-h-14), or make a new archive."


async def test_an_archive_of_other_pictures_is_told_with_the_variable_that_makes_them(
    standin: StandIn, data: Path
) -> None:
    findings = await found(data, impatient_embedder(standin, config={"preprocessing": "test-1/448px"}))
    (told,) = faults(findings).values()
    assert told
    assert "otherwise now (test-1/448px): set NVCLIP_IMAGE_SIZE as it was" in told
    assert "preprocessing test-1" in findings["fingerprint"].detail


async def test_a_changed_service_is_no_fault_yet_and_nothing_is_recorded_by_looking(
    standin: StandIn, data: Path
) -> None:
    standin.tell(version="2.1.0")
    findings = await found(data, impatient_embedder(standin))
    assert faults(findings) == {}
    told = findings["fingerprint"].advice
    assert told
    assert told.startswith("The service was nim 2.0.0 nvclip-vit-h-14:fp16 then. The next search or ingest")
    async with EmbeddedStore(data) as store:
        made_with = (await store.info()).fingerprint
    assert made_with
    assert made_with.service == "2.0.0 nvclip-vit-h-14:fp16"


async def test_each_fault_is_found_though_there_are_others(standin: StandIn, data: Path, tmp_path: Path) -> None:
    rows(data, "UPDATE images SET made_by = NULL WHERE image_id = (SELECT min(image_id) FROM images)")
    (tmp_path / "films").rename(tmp_path / "elsewhere")
    findings = await found(data, impatient_embedder(standin, config={"preprocessing": "other"}))
    assert faults(findings).keys() == {"fingerprint", "external rows", "root"}
    assert findings["external rows"].detail == "1 of 3"
    assert (faults(findings)["root"] or "").startswith("This folder is gone: mount it, take it out of")


async def test_a_damaged_store_is_found_while_the_service_is_down(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    config = NvclipConfig(
        base_url="http://127.0.0.1:9/v1", model="m", dialect="nim", image_size=32, preprocessing="test-1"
    )
    async with EmbeddedStore(tmp_path) as store, NvclipEmbedder(config) as embedder:
        findings = await examine(store, embedder, [])
    assert [(finding.name, finding.ok) for finding in findings] == [("embedder", False), ("store", False)]
    assert all(finding.advice for finding in findings)
