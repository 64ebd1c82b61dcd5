"""Fetches images and reports from a PACS into the archive; nothing is ever written to the PACS."""

from mcp_cxr.pacs._check import check_pacs
from mcp_cxr.pacs._dicomweb import DicomWeb, DicomWebConfig
from mcp_cxr.pacs._fetch import fetch_again
from mcp_cxr.pacs._plan import PullPlan, PullSummary
from mcp_cxr.pacs._pull import Pull
from mcp_cxr.pacs._records import PacsQuery, PacsSource
from mcp_cxr.pacs._spool import GoneStudy, NotKept, Spool

__all__ = [
    "DicomWeb",
    "DicomWebConfig",
    "GoneStudy",
    "NotKept",
    "PacsQuery",
    "PacsSource",
    "Pull",
    "PullPlan",
    "PullSummary",
    "Spool",
    "check_pacs",
    "fetch_again",
]
