"""The demonstration encoder can be trained again: ten steps, exported, and what is exported equals what was trained."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "demo_encoder"
IMAGES, STEPS = 64, 10

pytestmark = pytest.mark.models


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_ten_steps_train_export_and_agree(tmp_path: Path):
    drawn, folder = tmp_path / "drawn", tmp_path / "encoder"
    run("draw_training_set", drawn, "--images", IMAGES, "--shard-size", IMAGES)
    for weights in ("one.pt", "two.pt"):
        run("train", drawn, tmp_path / weights, "--steps", STEPS)
    out = run("export", tmp_path / "one.pt", drawn, folder, "--seed", 20, "--steps", STEPS)
    lowest = re.search(r"at least (0\.\d+|1\.0+)", out)
    assert lowest
    assert float(lowest[1]) >= 0.999999
    run("export", tmp_path / "two.pt", drawn, tmp_path / "again", "--seed", 20, "--steps", STEPS)
    origins = [json.loads((each / "config.json").read_text())["mcp_cxr"] for each in (folder, tmp_path / "again")]
    assert origins[0]["demo_encoder"] is True
    assert (origins[0]["images"], origins[0]["steps"]) == (IMAGES, STEPS)
    assert origins[0]["digest"] == origins[1]["digest"], "The same seed gave other weights."
    vectors = np.load(folder / "reference.npz", allow_pickle=False)["image_vectors"]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
