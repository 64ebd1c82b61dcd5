"""Type checkers of programs that import the package read its types, as `py.typed` promises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mcp_cxr
from tests.docs import api

PACKAGE = Path(mcp_cxr.__file__).parent


def test_pyright_knows_every_type_of_the_public_api(tmp_path: Path) -> None:
    """A copy, as it is installed: of the checkout, pyright reads the source whether or not it is marked as typed."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--verifytypes", PACKAGE.name]
    done = subprocess.run(
        [*command, "--ignoreexternal", "--outputjson"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)["typeCompleteness"]
    assert report["pyTypedPath"] == str(tmp_path / PACKAGE.name / "py.typed")
    known = {one["name"]: one["isTypeKnown"] for one in report["symbols"] if one["isExported"]}
    public = [f"{module}.{name}" for _, module, names in api.parts() for name in names]
    assert [name for name in public if not known[name]] == []
