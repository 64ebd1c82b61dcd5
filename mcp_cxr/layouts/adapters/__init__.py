"""One module for each data set, and one for folders that people arrange themselves."""

from mcp_cxr.layouts.adapters._brax import BraxLayout
from mcp_cxr.layouts.adapters._chexpert import ChexpertLayout
from mcp_cxr.layouts.adapters._images_csv import ImagesCsvLayout
from mcp_cxr.layouts.adapters._mimic import MimicIds, MimicLayout, mimic_ids
from mcp_cxr.layouts.adapters._nih import NihLayout
from mcp_cxr.layouts.adapters._openi import OpeniLayout
from mcp_cxr.layouts.adapters._padchest import PadchestLayout
from mcp_cxr.layouts.adapters._vindr import VindrLayout

ADAPTERS = (
    MimicLayout,
    NihLayout,
    ChexpertLayout,
    PadchestLayout,
    VindrLayout,
    BraxLayout,
    OpeniLayout,
    ImagesCsvLayout,
)
"""All layouts, in the order in which a file is offered to them."""

__all__ = ["ADAPTERS", "MimicIds", "mimic_ids"]
