"""Cohorts: images selected by a query, split without leaks, and frozen in a manifest that can be verified."""

from mcp_cxr.research.cohorts._compare import difference, file_digest, verify_cohort
from mcp_cxr.research.cohorts._export import csv_table, json_lines, link_files
from mcp_cxr.research.cohorts._folder import CohortFolder
from mcp_cxr.research.cohorts._leaks import LeakSearch, leak_cosine
from mcp_cxr.research.cohorts._make import build_cohort, summary_of
from mcp_cxr.research.cohorts._manifest import Cohort, CohortRow
from mcp_cxr.research.cohorts._splits import check_request

__all__ = [
    "Cohort",
    "CohortFolder",
    "CohortRow",
    "LeakSearch",
    "build_cohort",
    "check_request",
    "csv_table",
    "difference",
    "file_digest",
    "json_lines",
    "leak_cosine",
    "link_files",
    "summary_of",
    "verify_cohort",
]
