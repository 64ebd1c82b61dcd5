"""Use cases that keep an archive sound: doctor, verify, repair, copy, and the check of the fingerprint."""

from mcp_cxr.upkeep._check_encoder import EncoderCheck, QuantizedEncoder, check_encoder, quantize_encoder
from mcp_cxr.upkeep._copy_archive import CopySummary, copy
from mcp_cxr.upkeep._doctor import CheckResult, run_checks
from mcp_cxr.upkeep._fingerprint_check import FingerprintCheck
from mcp_cxr.upkeep._verify import PROBLEMS, repair, verify

__all__ = [
    "PROBLEMS",
    "CheckResult",
    "CopySummary",
    "EncoderCheck",
    "FingerprintCheck",
    "QuantizedEncoder",
    "check_encoder",
    "copy",
    "quantize_encoder",
    "repair",
    "run_checks",
    "verify",
]
