"""Reads reports: their sections and statements, the findings of each, and what a study says of each finding."""

from mcp_cxr.language.reader._mentions import Mention, changes_denied, mentions_in
from mcp_cxr.language.reader._modifier_values import modifier_values, modifiers_in
from mcp_cxr.language.reader._scopes import Status
from mcp_cxr.language.reader._sections import SectionKind, context_of, main_text, sections
from mcp_cxr.language.reader._shared_modifiers import shares_side
from mcp_cxr.language.reader._statements import statements
from mcp_cxr.language.reader._study_reading import (
    NOTHING_ACUTE,
    FindingReading,
    Statement,
    denies_anything_acute,
    is_normal,
    read_report,
    read_study,
    report_statements,
    says_abnormal,
    study_readings,
)

__all__ = [
    "NOTHING_ACUTE",
    "FindingReading",
    "Mention",
    "SectionKind",
    "Statement",
    "Status",
    "changes_denied",
    "context_of",
    "denies_anything_acute",
    "is_normal",
    "main_text",
    "mentions_in",
    "modifier_values",
    "modifiers_in",
    "read_report",
    "read_study",
    "report_statements",
    "says_abnormal",
    "sections",
    "shares_side",
    "statements",
    "study_readings",
]
