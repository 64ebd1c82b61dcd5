"""Runs a host written with the TypeScript SDK."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from mcp_cxr import __version__

if TYPE_CHECKING:
    from tests.support.npm import Packages

SCRIPT = Path(__file__).with_name("client.mjs")


def visit(packages: Packages, *, generation: int, version: str | None, server: dict[str, Any]) -> None:
    """List the tools, search, view an image, and get an error for an unknown image.

    Args:
        packages: They hold the SDK.
        generation: 1, the one package, or 2, the one for clients.
        version: Of the protocol; None leaves it to the client.
        server: `command`, `args` and `env`, or `url` and `token`.
    """
    arguments = json.dumps({"generation": generation, "version": version, **server})
    done = packages.run(packages.placed(SCRIPT), arguments)
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    assert given["server"]["version"] == __version__
    assert {"search_medical_images", "view_image"} <= set(given["tools"])
    assert given["found"] == [1, 1]
    assert "The archive has no image nothing" in given["refused"]
    with Image.open(io.BytesIO(base64.b64decode(given["picture"]["data"]))) as picture:
        assert max(picture.size) == 128
