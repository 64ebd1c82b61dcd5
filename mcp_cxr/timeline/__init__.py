"""A patient's studies in time: which are nearest to an image, and the status of each finding in them."""

from mcp_cxr.timeline._patient_timeline import is_date, patient_timeline

__all__ = ["is_date", "patient_timeline"]
