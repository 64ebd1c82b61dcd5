"""Checks the data of an archive: lists of what may be wrong, for people to look at and decide about."""

from mcp_cxr.research.data_check._check import MOST_ENTRIES, CheckPlan, check_data
from mcp_cxr.research.data_check._orientation import RenderingSource
from mcp_cxr.research.data_check._result import (
    LIST_NAMES,
    LIST_TITLES,
    CheckEntry,
    CheckList,
    DataCheck,
    Decision,
    ListName,
)
from mcp_cxr.research.data_check._stored_check import CheckFiles, KeptDecision
from mcp_cxr.research.data_check.page import PageImages, images_shown, page_writer

__all__ = [
    "LIST_NAMES",
    "LIST_TITLES",
    "MOST_ENTRIES",
    "CheckEntry",
    "CheckFiles",
    "CheckList",
    "CheckPlan",
    "DataCheck",
    "Decision",
    "KeptDecision",
    "ListName",
    "PageImages",
    "RenderingSource",
    "check_data",
    "images_shown",
    "page_writer",
]
