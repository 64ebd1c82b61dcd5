"""A simulated DICOMweb server: a process on loopback that finds and sends files, and fails as it is told.

It answers queries and retrievals as Orthanc does; `tests/pacs/test_standin.py` compares the two.
"""

from tests.standins.dicomweb._process import StandIn

__all__ = ["StandIn"]
