"""Use cases that keep an archive sound: doctor, verify, repair, copy, forget, and the check of the fingerprint."""

from mcp_cxr.upkeep._copy import CopySummary, copy
from mcp_cxr.upkeep._doctor import CheckResult, run_checks
from mcp_cxr.upkeep._fingerprint_check import FingerprintCheck
from mcp_cxr.upkeep._forget import forget_preview
from mcp_cxr.upkeep._verify import PROBLEMS, repair, verify

__all__ = [
    "PROBLEMS",
    "CheckResult",
    "CopySummary",
    "FingerprintCheck",
    "copy",
    "forget_preview",
    "repair",
    "run_checks",
    "verify",
]
