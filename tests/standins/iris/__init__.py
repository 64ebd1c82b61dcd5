"""A stand-in for InterSystems IRIS: a real process on loopback that speaks its wire protocol to the real driver.

It is no IRIS, and its speed means nothing: SQLite holds the rows, Python compares the vectors, and of SQL it knows what
`_documented.py` lists. Start it by hand with `python -m tests.standins.iris`; the README says what can be asked of it.
"""

from tests.standins.iris._process import StandIn
from tests.standins.iris._tls import CONFIG, make_authority

__all__ = ["CONFIG", "StandIn", "make_authority"]
