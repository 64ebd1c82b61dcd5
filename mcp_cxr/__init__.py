"""Search your own archive of chest X-rays by words, by example images, and by findings in the reports.

In a notebook::

    from mcp_cxr import open_archive

    async with open_archive() as archive:
        page = await archive.search("left pleural effusion")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive, open_archive

__all__ = ["Archive", "__version__", "open_archive"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the archive on first use, so that `mcp-cxr serve` answers its host before anything heavy is loaded."""
    if name in {"Archive", "open_archive"}:
        from mcp_cxr import archive

        return getattr(archive, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
