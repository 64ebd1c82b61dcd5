"""Encoders that `scripts/export_encoder.py` writes, beside what transformers and open_clip make of the same inputs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcp_cxr.embeddings import read_reference
from mcp_cxr.embeddings.local._encoder import Encoder, describe_encoder
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions

pytestmark = pytest.mark.models
ROOT = Path(__file__).parents[2]
TOWER = {"layers": 2, "width": 64, "heads": 2}
SMALL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 48, "patch_size": 16, "layers": 2, "width": 64, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, **TOWER},
}
EXPORT = """
import sys, torch, open_clip
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from export_encoder import export_open_clip
open_clip.add_model_config(Path(sys.argv[2]))
torch.manual_seed(20)
export_open_clip("small", Path(sys.argv[3]))
"""


def run(*arguments: object) -> None:
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_open_clip_export_gets_the_vectors_of_open_clip(tmp_path: Path):
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "small.json").write_text(json.dumps(SMALL))
    folder = tmp_path / "model"
    run("-c", EXPORT, ROOT / "scripts", configs, folder)
    description, reference = describe_encoder(folder), read_reference(folder)
    assert description.files.layout == "open_clip"
    assert reference
    encoder = Encoder(description, SessionOptions())
    images, texts = encoder.embed_images(list(reference.images)), encoder.embed_texts(reference.texts)
    assert (images * reference.image_vectors).sum(axis=1).min() >= 0.999999
    assert (texts * reference.text_vectors).sum(axis=1).min() >= 0.999999


def test_the_reference_models_are_what_transformers_makes(tmp_path: Path):
    tests = tmp_path / "tests"
    shutil.copytree(ROOT / "tests/reference_models", tests / "reference_models", ignore=shutil.ignore_patterns("*.npz"))
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    run(tests / "reference_models/write.py")
    for name in ("clip", "siglip"):
        with (
            np.load(ROOT / "tests/reference_models" / name / "expected.npz") as kept,
            np.load(tests / "reference_models" / name / "expected.npz") as made,
        ):
            np.testing.assert_array_equal(made["tokens"], kept["tokens"])
            np.testing.assert_allclose(made["pixel_values"], kept["pixel_values"], atol=1e-6)
            for vectors in ("image_vectors", "text_vectors"):
                np.testing.assert_allclose(made[vectors], kept[vectors], atol=1e-4)
