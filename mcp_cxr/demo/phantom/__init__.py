"""Chest phantoms: a patient and an exposure become pixels."""

from mcp_cxr.demo.phantom._draw import WHITE, View, draw, pixel_spacing_mm
from mcp_cxr.demo.phantom._patient import DEVICES, KINDS, Finding, Grade, Kind, Patient, Side, Zone

__all__ = [
    "DEVICES",
    "KINDS",
    "WHITE",
    "Finding",
    "Grade",
    "Kind",
    "Patient",
    "Side",
    "View",
    "Zone",
    "draw",
    "pixel_spacing_mm",
]
