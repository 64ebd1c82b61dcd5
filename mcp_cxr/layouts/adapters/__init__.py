"""One module for each data set."""

from mcp_cxr.layouts.adapters._mimic import MimicIds, MimicLayout, mimic_ids

ADAPTERS = (MimicLayout,)
"""All layouts, in the order in which a file is offered to them."""

__all__ = ["ADAPTERS", "MimicIds", "mimic_ids"]
