"""Fetches images and reports from a PACS into the archive; nothing is ever written to the PACS."""

from typing import TYPE_CHECKING

from mcp_cxr.pacs._check_connection import check_pacs
from mcp_cxr.pacs._fetch import fetch_again
from mcp_cxr.pacs._plan import PullPlan, PullSummary
from mcp_cxr.pacs._pull import Pull
from mcp_cxr.pacs._query_and_answers import DIMSE_SCHEME, PacsQuery, PacsSource
from mcp_cxr.pacs._spool import FileAtPacs, GoneStudy, Spool

if TYPE_CHECKING:
    from mcp_cxr.pacs._dicomweb import DicomWeb, DicomWebConfig
    from mcp_cxr.pacs._dimse import Dimse, DimseConfig

__all__ = [
    "DIMSE_SCHEME",
    "DicomWeb",
    "DicomWebConfig",
    "Dimse",
    "DimseConfig",
    "FileAtPacs",
    "GoneStudy",
    "PacsQuery",
    "PacsSource",
    "Pull",
    "PullPlan",
    "PullSummary",
    "Spool",
    "check_pacs",
    "fetch_again",
]


def __getattr__(name: str) -> object:
    """Import the client of a PACS on first use: it loads an HTTP client or decoders, which a search does not need."""
    if name in {"DicomWeb", "DicomWebConfig"}:
        from mcp_cxr.pacs import _dicomweb

        return getattr(_dicomweb, name)
    if name in {"Dimse", "DimseConfig"}:
        from mcp_cxr.pacs import _dimse

        return getattr(_dimse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
