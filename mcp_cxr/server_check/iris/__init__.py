"""Checks how InterSystems IRIS answers; loads its driver."""

from mcp_cxr.server_check.iris._reading_parts import check_iris
from mcp_cxr.server_check.iris._writing_parts import WriteSize, check_iris_by_writing

__all__ = ["WriteSize", "check_iris", "check_iris_by_writing"]
