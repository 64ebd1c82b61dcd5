"""The archive: every use case as one method, handed to the package that does it."""

from __future__ import annotations

from mcp_cxr.archive._changing_methods import ChangingMethods
from mcp_cxr.archive._checking_methods import CheckingMethods
from mcp_cxr.archive._cohort_methods import CohortMethods
from mcp_cxr.archive._probe_and_data_check_methods import ProbeAndDataCheckMethods
from mcp_cxr.archive._reading_methods import ReadingMethods


class Archive(ReadingMethods, ChangingMethods, CheckingMethods, CohortMethods, ProbeAndDataCheckMethods):
    """The images, reports and vectors of one place, and all that can be done with them. Made by `open_archive`."""
