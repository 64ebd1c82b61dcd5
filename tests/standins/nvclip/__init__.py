"""Simulated embedding services: a real process on loopback that speaks their dialects exactly.

Start it by hand with `python -m tests.standins.nvclip --dialect nim --model nvidia/nvclip-vit-h-14`. It knows no
model: its vectors are drawn from the bytes of the input, or made from labels that a test sets.
"""

from tests.standins.nvclip._process import StandIn
from tests.standins.nvclip._vectors import digest

__all__ = ["StandIn", "digest"]
