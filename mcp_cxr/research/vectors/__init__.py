"""All vectors of a store as one array on disk, and exact near duplicates among them."""

from mcp_cxr.research.vectors._mirrored import mirrored_vectors
from mcp_cxr.research.vectors._near_duplicates import NearDuplicates, near_duplicates
from mcp_cxr.research.vectors._read import ArchiveVectors, archive_mean, read_vectors

__all__ = [
    "ArchiveVectors",
    "NearDuplicates",
    "archive_mean",
    "mirrored_vectors",
    "near_duplicates",
    "read_vectors",
]
