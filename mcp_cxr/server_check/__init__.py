"""`doctor --deep`: checks how IRIS and the embedding service answer, and records it without any of their text.

mcp-cxr was tested against simulated servers, so that each real answer confirms or corrects a guess.
`server_check.iris` loads IRIS's driver and is imported by its own name.
"""

from mcp_cxr.server_check._embedding_service import check_embedding_service
from mcp_cxr.server_check._expectations import expectations, with_differences
from mcp_cxr.server_check._record import CheckRecord
from mcp_cxr.server_check._timed_parts import Parts

__all__ = [
    "CheckRecord",
    "Parts",
    "check_embedding_service",
    "expectations",
    "with_differences",
]
