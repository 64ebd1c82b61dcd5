"""`Archive`, the API of everything one archive can do, and `open_archive`, which assembles it from the settings.

::

    async with open_archive() as archive:
        await archive.ingest("/data/images")
        page = await archive.search("left pleural effusion", view=["PA"])
        shown = await archive.show(page.images[0].image_id)
"""

# First: below a deep stack of imports its patterns took three times as long to compile, as CPython 3.11 then asked the
# system for stack memory at each call. Measured: 0.4 s of the 1.4 s of CPU to start `serve`.
import mcp_cxr.language  # noqa: F401 # pyright: ignore[reportUnusedImport]

# isort: split
from mcp_cxr.archive._archive import Archive
from mcp_cxr.archive._open import copy_archive, mark_as_demo, open_archive
from mcp_cxr.archive._pacs import open_pacs
from mcp_cxr.archive._roots import AllowedRoots
from mcp_cxr.archive._server_check import check_servers

__all__ = [
    "AllowedRoots",
    "Archive",
    "check_servers",
    "copy_archive",
    "mark_as_demo",
    "open_archive",
    "open_pacs",
]
