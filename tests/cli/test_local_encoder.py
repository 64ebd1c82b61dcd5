"""Commands with `MCP_CXR_EMBEDDER=local`: ingest, search, other encoders, the demonstration encoder, `model`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.archive import mark_as_demo
from tests.server.archives import write_small_images
from tests.support.encoders import TinyEncoder, write_json

if TYPE_CHECKING:
    from tests.cli.conftest import Command

REFERENCES = Path(__file__).parents[1] / "reference_models"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return TinyEncoder().write(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def local(run: Command, model: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command with the tiny encoder."""
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "local")
    monkeypatch.setenv("MCP_CXR_MODEL_DIR", str(model))
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(data))
    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_small_images(tmp_path / "images", 8)
    return tmp_path / "images"


def test_what_was_ingested_is_found_by_meaning(local: Command, images: Path):
    done = local("ingest", str(images))
    assert done.code == 0, done.err
    assert "Local embedder initialized" in done.err
    assert local("ingest", str(images), "--json").json["skipped"] == 8
    found = local("search", "left effusion", "--mode", "vector", "--json").json
    assert (found["search_mode"], found["embedder"]) == ("semantic", "local")
    assert found["images"][0]["similarity_score"] is not None
    example = found["images"][0]["image_id"]
    assert local("search", "--like", example, "--json").json["search_mode"] == "similar"
    assert "one image" in local("doctor").out


def test_overview_and_statistics_show_no_canned_vectors(local: Command, images: Path):
    local("ingest", str(images))
    shown = local("table", "stats", "--json").out
    assert "canned" not in shown
    assert '"model": "local"' in shown


def test_another_encoder_is_refused_and_words_still_answer(local: Command, images: Path, model: Path, tmp_path: Path):
    local("ingest", str(images))
    shutil.rmtree(model)
    TinyEncoder(seed=1).write(model)
    refused = local("search", "effusion")
    assert refused.code == 1
    assert "is another (cosine" in refused.error
    assert local("search", "effusion", "--mode", "words", "--json").json["search_mode"] == "keyword"
    write_small_images(tmp_path / "more", 2)
    refused = local("ingest", str(tmp_path / "more"))
    assert refused.code == 1
    assert "Set MCP_CXR_MODEL_DIR to its folder" in refused.err


def test_a_float16_export_of_the_same_weights_is_the_same_space(local: Command, images: Path, model: Path):
    local("ingest", str(images))
    before = local("search", "left effusion", "--mode", "vector", "--json").json["images"]
    shutil.rmtree(model)
    TinyEncoder(float16=True).write(model)
    after = local("search", "left effusion", "--mode", "vector", "--json")
    assert [hit["image_id"] for hit in after.json["images"]] == [hit["image_id"] for hit in before]
    assert "its vectors are the same" in after.err or after.code == 0


def test_another_text_tower_is_refused(local: Command, images: Path, model: Path):
    local("ingest", str(images))
    other = TinyEncoder(seed=1)
    other.save(other.text(), model / "onnx/text_model.onnx")
    assert "is another (cosine" in local("search", "effusion").error


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MCP_CXR_MODEL_DIR", "", "needs MCP_CXR_MODEL_DIR"),
        ("MCP_CXR_MODEL_DIR", "relative", "relative path"),
        ("MCP_CXR_PROVIDERS", "cuda", "name of a provider"),
    ],
)
def test_a_wrong_setting_is_one_line(
    local: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
):
    monkeypatch.setenv(name, value)
    done = local("search", "effusion")
    assert done.code == 2
    assert words in done.error


@pytest.mark.parametrize("provider", ["CUDAExecutionProvider", "AzureExecutionProvider"])
def test_a_provider_that_is_missing_or_remote_is_refused(
    local: Command, images: Path, monkeypatch: pytest.MonkeyPatch, provider: str
):
    monkeypatch.setenv("MCP_CXR_PROVIDERS", provider)
    done = local("ingest", str(images))
    assert done.code == 1
    assert f"MCP_CXR_PROVIDERS names {provider}" in done.err


def test_a_folder_that_cannot_be_used_is_one_line_and_nothing_is_written(
    local: Command, images: Path, model: Path, data: Path
):
    (model / "onnx/vision_model.onnx").write_bytes(b"cut")
    done = local("ingest", str(images))
    assert done.code == 1
    assert "vision_model.onnx is cut off" in done.err
    assert not data.exists()


@pytest.fixture
def demo_encoder(model: Path) -> Path:
    write_json(model / "config.json", TinyEncoder().config | {"mcp_cxr": {"demo_encoder": True}})
    return model


@pytest.mark.usefixtures("demo_encoder")
def test_the_demonstration_encoder_needs_its_option(local: Command, images: Path, monkeypatch: pytest.MonkeyPatch):
    done = local("ingest", str(images))
    assert done.code == 1
    assert "trained on drawings; it recognizes nothing in real radiographs" in done.err
    monkeypatch.setenv("MCP_CXR_ALLOW_DEMO_ENCODER", "1")
    assert local("ingest", str(images)).code == 2  # no variable allows it
    monkeypatch.delenv("MCP_CXR_ALLOW_DEMO_ENCODER")
    assert local("ingest", str(images), "--allow-demo-encoder").code == 0
    assert "recognizes nothing" in local("search", "effusion", "--json").json["fallback_reason"]
    assert local("search", "left effusion", "--allow-demo-encoder", "--json").json["fallback_reason"] is None


@pytest.mark.usefixtures("demo_encoder")
def test_the_demonstration_encoder_is_allowed_in_a_marked_archive(local: Command, images: Path, data: Path):
    mark_as_demo(data)
    assert local("ingest", str(images)).code == 0


def test_model_check_says_what_was_recognized(local: Command, data: Path):
    done = local("model", "check", str(REFERENCES / "clip"))
    assert done.code == 0, done.out
    for words in (
        "Hugging Face layout",
        "onnx/vision_model.onnx",
        "24 dimensions",
        "images/s",
        "77 tokens",
        "none: the",
    ):
        assert words in done.out
    assert not (data / "archive.db").exists()


def test_model_check_fails_if_the_vectors_are_not_the_exporters(local: Command, model: Path, tmp_path: Path):
    import numpy as np

    images, texts = np.zeros((1, 16, 16), np.uint8) + 90, np.array(["left effusion"])
    np.savez(
        model / "reference.npz",
        images=images,
        texts=texts,
        image_vectors=np.eye(8, dtype=np.float32)[:1],
        text_vectors=np.eye(8, dtype=np.float32)[:1],
    )
    done = local("model", "check", str(model))
    assert done.code == 1
    assert "not the exporter's" in done.out


def test_model_check_of_an_unusable_folder_is_one_line(local: Command, tmp_path: Path):
    done = local("model", "check", str(tmp_path / "nothing"))
    assert done.code == 2
    assert "does not exist" in done.err


def test_model_quantize_writes_a_copy_and_says_what_it_costs(local: Command, images: Path, model: Path, tmp_path: Path):
    local("ingest", str(images))
    target = tmp_path / "int8"
    done = local("model", "quantize", str(model), str(target), "--json")
    assert done.code == 0, done.err
    assert (done.json["images"], done.json["are_drawings"]) == (8, False)
    assert 0.9 < done.json["image_cosine"] <= 1
    assert local("model", "check", str(target)).code == 0
    again = local("model", "quantize", str(model), str(target))
    assert again.code == 2
    assert "exists" in again.err
