"""A simulated InterSystems IRIS server: a process on loopback that speaks its wire protocol to the real driver.

It is not IRIS, and its speed means nothing: SQLite holds the rows, Python compares the vectors, and `_documented.py`
lists the SQL it accepts. Start it by hand with `python -m tests.standins.iris`; the README says how to control it.
"""

from tests.standins.iris._process import StandIn
from tests.standins.iris._tls import CONFIG, make_authority

__all__ = ["CONFIG", "StandIn", "make_authority"]
