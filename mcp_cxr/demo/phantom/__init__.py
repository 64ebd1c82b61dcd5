"""Draws chest phantoms from a patient and an exposure."""

from mcp_cxr.demo.phantom._draw import MAX_STORED_VALUE, View, draw_phantom, pixel_spacing_mm
from mcp_cxr.demo.phantom._patient import DEVICES, Grade, Kind, Patient, PhantomFinding, Side, Zone

__all__ = [
    "DEVICES",
    "MAX_STORED_VALUE",
    "Grade",
    "Kind",
    "Patient",
    "PhantomFinding",
    "Side",
    "View",
    "Zone",
    "draw_phantom",
    "pixel_spacing_mm",
]
