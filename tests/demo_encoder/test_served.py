"""A host's client searches by pixels through `serve` over stdio; the shipped folder is what training wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.archive import open_archive
from mcp_cxr.demo import ENCODER_FOLDER
from mcp_cxr.embeddings import LocalConfig, LocalEmbedder
from mcp_cxr.errors import CxrError
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.records import Rendering, SearchResult
from tests.demo_encoder.conftest import studies
from tests.stdio.conftest import Wire

if TYPE_CHECKING:
    from tests.demo_encoder.conftest import Drawn

MOST_BYTES = 3_000_000
DOCUMENT = Path(__file__).parents[2] / "docs" / "demo-encoder.md"


def test_a_host_finds_a_pacemaker_that_no_report_mentions(embedded: Drawn, tmp_path: Path) -> None:
    right = embedded.showing("pacemaker") & embedded.unreported
    with Wire(embedded.variables, tmp_path) as wire:
        wire.shake_hands()
        result = wire.call(
            "search_medical_images", query="pacemaker", mode="vector", has_report=False, limit=len(right)
        )
    page = SearchResult.model_validate(result["structuredContent"])
    assert page.search_mode == "semantic"
    assert page.fallback_reason is None
    assert set(studies(page.images)) == right


async def test_an_archive_without_the_mark_refuses_the_encoder(embedded: Drawn, tmp_path: Path) -> None:
    settings = embedded.settings.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(CxrError, match="--allow-demo-encoder"):
        async with open_archive(settings) as archive:
            await archive.ingest(embedded.data_set.folder)


def test_the_shipped_folder_is_small_and_the_one_that_the_document_names() -> None:
    origin = json.loads((ENCODER_FOLDER / "config.json").read_text())["mcp_cxr"]
    graphs = b"".join((ENCODER_FOLDER / "onnx" / f"{name}_model.onnx").read_bytes() for name in ("vision", "text"))
    assert hashlib.sha256(graphs).hexdigest() == origin["digest"]
    assert sum(path.stat().st_size for path in ENCODER_FOLDER.rglob("*") if path.is_file()) <= MOST_BYTES
    document = DOCUMENT.read_text()
    assert {
        name
        for name in (origin["digest"][:16], origin["commit"][:12], f"seed {origin['seed']}")
        if name not in document
    } == set()


async def test_its_vectors_are_those_of_the_trained_network(tmp_path: Path) -> None:
    config = LocalConfig(ENCODER_FOLDER, PREPROCESSING, tmp_path / "encoders.json", allows_demo_encoder=True)
    with np.load(ENCODER_FOLDER / "reference.npz", allow_pickle=False) as reference:
        async with LocalEmbedder(config) as embedder:
            images = await embedder.embed_images([Rendering(pixels) for pixels in reference["images"]])
            texts = await embedder.embed_texts([str(text) for text in reference["texts"]])
        vectors = np.stack([vector for vector in images if isinstance(vector, np.ndarray)])
        assert (vectors * reference["image_vectors"]).sum(axis=1).min() >= 0.999999
        assert (texts * reference["text_vectors"]).sum(axis=1).min() >= 0.999999
