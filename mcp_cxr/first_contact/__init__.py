"""Asks real servers what mcp-cxr was never able to ask, and records the answers without any of their text.

The modules that ask IRIS load its driver: they are imported by those who need them.
"""

from mcp_cxr.first_contact._contact_parts import Parts
from mcp_cxr.first_contact._contact_record import ContactRecord, read_record
from mcp_cxr.first_contact._embedding_service import contact_service
from mcp_cxr.first_contact._expectations import Expectation, expectations, with_differences

__all__ = [
    "ContactRecord",
    "Expectation",
    "Parts",
    "contact_service",
    "expectations",
    "read_record",
    "with_differences",
]
