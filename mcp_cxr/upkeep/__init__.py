"""Use case: the life of a collection."""

from mcp_cxr.upkeep._copy import Copied, copy
from mcp_cxr.upkeep._doctor import CheckResult, examine
from mcp_cxr.upkeep._forget import forget_preview
from mcp_cxr.upkeep._service import ServiceWatch
from mcp_cxr.upkeep._verify import PROBLEMS, repair, verify

__all__ = [
    "PROBLEMS",
    "CheckResult",
    "Copied",
    "ServiceWatch",
    "copy",
    "examine",
    "forget_preview",
    "repair",
    "verify",
]
