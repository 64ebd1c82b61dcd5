"""Use case: the life of a collection."""

from mcp_cxr.upkeep._copy import Copied, copy
from mcp_cxr.upkeep._doctor import Finding, examine
from mcp_cxr.upkeep._forget import forgettable
from mcp_cxr.upkeep._service import ServiceWatch
from mcp_cxr.upkeep._verify import PROBLEMS, repair, verify

__all__ = [
    "PROBLEMS",
    "Copied",
    "Finding",
    "ServiceWatch",
    "copy",
    "examine",
    "forgettable",
    "repair",
    "verify",
]
