"""`Archive`, the API of everything one archive can do, and `open_archive`, which assembles it from the settings.

::

    async with open_archive() as archive:
        await archive.ingest("/data/images")
        page = await archive.search("left pleural effusion", view=["PA"])
        shown = await archive.show(page.images[0].image_id)
"""

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
