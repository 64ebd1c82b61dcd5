"""`doctor` reports each fault independently, with advice.

Imports a private module: a reader newer than this one does not exist.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import CheckResult, _doctor, run_checks
from tests.standins.nvclip import StandIn
from tests.support.archives import DATABASE, ingested, opened, rows
from tests.support.image_files import dicom, mimic
from tests.support.nvclip_clients import HURRY, embedder_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder

KEY = "nvapi-not-to-be-seen"
ADVICE_UNREACHABLE = "check that it runs, your SSH tunnel if you use one, and NVCLIP_BASE_URL"


@pytest.fixture(scope="module")
def started() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(started: StandIn) -> StandIn:
    """The service without faults."""
    started.configure(api_key=None, ready=True, vectors="hash", fault=None, version="2.0.0")
    return started


@pytest.fixture
async def data(standin: StandIn, tmp_path: Path) -> Path:
    """An archive of three images."""
    for number in range(3):
        mimic(tmp_path / "images", number)
    await ingested(tmp_path / "data", tmp_path / "images", embedder_for(standin))
    return tmp_path / "data"


async def check_results(data: Path, embedder: Embedder) -> dict[str, CheckResult]:
    """Return the results by name."""
    async with opened(data, embedder) as archive:
        return {result.name: result for result in await archive.doctor()}


def advice_by_check(results: dict[str, CheckResult]) -> dict[str, str | None]:
    """Return the advice of the failed checks, by name."""
    return {result.name: result.advice for result in results.values() if result.ok is False}


async def test_without_faults_each_check_describes_its_part(standin: StandIn, data: Path, tmp_path: Path) -> None:
    results = await check_results(data, embedder_for(standin))
    assert {name: (result.ok, result.advice) for name, result in results.items()} == dict.fromkeys(
        ("embedder", "store", "fingerprint", "share", "root"), (True, None)
    )
    description = "nvidia/nvclip-vit-h-14, 1024 dimensions, preprocessing test-1"
    assert results["embedder"].detail.startswith(f"{description}, nim 2.0.0 nvclip-vit-h-14:fp16; one image ")
    assert results["embedder"].detail.endswith(" ms; reads 45 words of a text")
    assert results["store"].detail == f"{data / DATABASE}: 3 images"
    assert results["fingerprint"].detail == f"made with {description}"
    assert results["root"].detail == str(tmp_path / "images")
    assert asdict(results["root"]) == {"name": "root", "ok": True, "detail": results["root"].detail, "advice": None}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ready": False}, "is not ready; it may be loading its model."),
        ({"api_key": "another"}, "answers 401: it requires another key; check NVIDIA_API_KEY"),
        ({"fault": {"kind": "status", "status": 403, "times": 99}}, "403: it refuses the key; check NVIDIA_API_KEY"),
        (
            {"fault": {"kind": "status", "status": 404, "times": 99}},
            "it has no such address or model; check NVCLIP_BASE",
        ),
        ({"fault": {"kind": "status", "status": 503, "times": 99}}, f"answers 503; {ADVICE_UNREACHABLE}"),
        ({"fault": {"kind": "hang", "times": 99}}, ADVICE_UNREACHABLE),
        ({"fault": {"kind": "zero", "times": 99}}, "self-check: it returns vectors that are zero"),
        ({"fault": {"kind": "nan", "times": 99}}, "self-check: it returns numbers that are not finite"),
        ({"fault": {"kind": "constant", "times": 99}}, "self-check: it returns the same vector"),
        ({"vectors": "blind"}, "self-check: it returns the same vector"),
    ],
)
async def test_a_service_fault_is_reported_with_advice_and_hides_no_other_check(
    standin: StandIn, data: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], expected: str
) -> None:
    caplog.set_level(logging.DEBUG)
    standin.configure(**settings)
    wait = HURRY if settings.get("fault", {}).get("kind") == "hang" else {}
    results = await check_results(data, embedder_for(standin, config={"api_key": KEY}, **wait))
    (advice,) = advice_by_check(results).values()
    assert advice
    assert expected in advice
    assert results["embedder"].detail == "nvidia/nvclip-vit-h-14"
    assert results["store"].detail.endswith(": 3 images")
    assert KEY not in repr(results) + "".join(record.getMessage() for record in caplog.records)


async def test_an_unreachable_service_is_reported_with_what_to_check(data: Path) -> None:
    with StandIn() as stopped:
        pass
    results = await check_results(data, embedder_for(stopped))
    (advice,) = advice_by_check(results).values()
    assert advice
    assert "cannot be reached (connection refused" in advice
    assert ADVICE_UNREACHABLE in advice


@pytest.mark.parametrize("dialect", ["infinity", "vllm"])
async def test_a_wrong_dialect_is_reported_with_its_variable(standin: StandIn, data: Path, dialect: str) -> None:
    (advice,) = advice_by_check(await check_results(data, embedder_for(standin, config={"dialect": dialect}))).values()
    assert advice
    assert "404" in advice
    assert "NVCLIP_DIALECT" in advice
    assert "NVCLIP_BASE_URL" in advice


async def test_an_unknown_model_is_reported_with_its_variable(standin: StandIn, data: Path) -> None:
    (advice,) = advice_by_check(await check_results(data, embedder_for(standin, config={"model": "other"}))).values()
    assert advice
    assert "NVCLIP_MODEL" in advice


async def test_an_archive_of_another_model_is_reported_with_that_model(data: Path) -> None:
    with StandIn("vllm", dimension=1152) as other:
        results = await check_results(data, embedder_for(other))
    assert advice_by_check(results) == {
        "fingerprint": "This archive was made with nvidia/nvclip-vit-h-14: set NVCLIP_MODEL=nvidia/nvclip-vit-h-14."
    }
    assert (results["embedder"].ok, "not checked" in results["embedder"].detail) == (None, True)


async def test_an_archive_of_a_service_needs_none_to_tell_an_offline_embedder_its_variables(data: Path) -> None:
    results = await check_results(data, OfflineEmbedder(preprocessing="1"))
    assert advice_by_check(results) == {
        "fingerprint": "This archive was made with nvidia/nvclip-vit-h-14: set MCP_CXR_EMBEDDER=nvclip and"
        " NVCLIP_MODEL=nvidia/nvclip-vit-h-14."
    }


async def test_reports_that_an_older_reader_read_are_reported(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_doctor, "READER_VERSION", 1_000)
    results = await check_results(data, OfflineEmbedder(preprocessing="1"))
    assert "table verify --repair" in (advice_by_check(results)["reports"] or "")


async def test_changed_preprocessing_is_reported_with_its_variable(standin: StandIn, data: Path) -> None:
    results = await check_results(data, embedder_for(standin, config={"preprocessing": "test-1/448px"}))
    (advice,) = advice_by_check(results).values()
    assert advice
    assert "Preprocessing is test-1/448px now: set NVCLIP_IMAGE_SIZE to its old value" in advice
    assert "preprocessing test-1" in results["fingerprint"].detail


async def test_a_changed_service_version_is_no_failure_and_is_not_recorded(standin: StandIn, data: Path) -> None:
    standin.configure(version="2.1.0")
    results = await check_results(data, embedder_for(standin))
    assert advice_by_check(results) == {}
    advice = results["fingerprint"].advice
    assert advice
    assert advice.startswith("The embedder was nim 2.0.0 nvclip-vit-h-14:fp16 then. The next search or ingest")
    async with EmbeddedStore(data) as store:
        made_with = (await store.info()).fingerprint
    assert made_with
    assert made_with.service == "2.0.0 nvclip-vit-h-14:fp16"


async def test_several_faults_are_all_reported(standin: StandIn, data: Path, tmp_path: Path) -> None:
    rows(data, "UPDATE images SET made_by = NULL WHERE image_id = (SELECT min(image_id) FROM images)")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    results = await check_results(data, embedder_for(standin, config={"preprocessing": "other"}))
    assert advice_by_check(results).keys() == {"fingerprint", "external rows", "root"}
    assert results["external rows"].detail == "1 of 3"
    assert (advice_by_check(results)["root"] or "").startswith("This folder is missing: mount it, or remove it from")


async def test_a_damaged_store_is_reported_while_the_service_is_down(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    config = NvclipConfig(
        base_url="http://127.0.0.1:9/v1", model="m", dialect="nim", image_size=32, preprocessing="test-1"
    )
    async with EmbeddedStore(tmp_path) as store, NvclipEmbedder(config) as embedder:
        results = await run_checks(store, embedder, [])
    assert [(result.name, result.ok) for result in results] == [("embedder", False), ("store", False)]
    assert all(result.advice for result in results)


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (lambda key: key.unlink(), "is missing; restore it from a backup"),
        (lambda key: key.write_bytes(bytes(32)), "is not the key that hashed this archive's ids"),
    ],
)
async def test_a_missing_or_other_id_key_fails(
    standin: StandIn, tmp_path: Path, damage: Callable[[Path], object], advice: str
) -> None:
    dicom(tmp_path / "images" / "one.dcm", 1)
    data = tmp_path / "data"
    await ingested(data, tmp_path / "images", embedder_for(standin))
    assert (await check_results(data, embedder_for(standin)))["id key"].ok
    damage(data / "id.key")
    assert advice in str(advice_by_check(await check_results(data, embedder_for(standin)))["id key"])
    assert not (data / "id.key").exists() or (data / "id.key").read_bytes() == bytes(32)
