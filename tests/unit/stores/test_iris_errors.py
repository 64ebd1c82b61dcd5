"""Driver errors are translated into errors with advice, which quote no stored value.

Imports a private module: the simulated IRIS server cannot raise each error of the driver.
"""

from __future__ import annotations

import iris.dbapi
import pytest

from mcp_cxr.errors import ConfigError, CxrError, DimensionMismatch, StoreError, StoreMissing, StoreUnavailable
from mcp_cxr.stores.iris import IrisConfig
from mcp_cxr.stores.iris.driver._errors import ConnectionLost, PrivilegeMissing, StatementRefused, translating_errors

SERVER_ERROR = "[SQLCODE: <{}>:<Some text>]\r\n[%msg: <value 'Mrs Smith'>]"
NO_CONNECTION = "<COMMUNICATION LINK ERROR> Failed to connect to server; Details: "


@pytest.mark.parametrize(
    ("raised", "kind", "advice"),
    [
        (
            iris.dbapi.OperationalError("<COMMUNICATION LINK ERROR> Failed to receive message"),
            ConnectionLost,
            "try again",
        ),
        (RuntimeError("connection is closed"), ConnectionLost, "try again"),
        (iris.dbapi.DataError("<LIST ERROR> Incorrect list format"), ConnectionLost, "try again"),
        (iris.dbapi.DataError("Message out of order"), ConnectionLost, "try again"),
        (iris.dbapi.OperationalError(NO_CONNECTION + "Error code: -1"), StoreUnavailable, "IRIS_HOST and IRIS_PORT"),
        (iris.dbapi.OperationalError(NO_CONNECTION + "<SSL Error> no section"), StoreUnavailable, "IRIS_SSL_CONFIG"),
        (iris.dbapi.OperationalError(NO_CONNECTION + "Access Denied"), ConfigError, "IRIS_PASSWORD"),
        (iris.dbapi.OperationalError(SERVER_ERROR.format(-417)), ConfigError, "IRIS_PASSWORD"),
        (iris.dbapi.DatabaseError("LICENSE LIMIT EXCEEDED"), StoreUnavailable, "IRIS_POOL_SIZE"),
        (iris.dbapi.OperationalError(SERVER_ERROR.format(-99)), PrivilegeMissing, "privileges"),
        (iris.dbapi.OperationalError(SERVER_ERROR.format(-110)), StoreUnavailable, "Try again"),
        (iris.dbapi.ProgrammingError(SERVER_ERROR.format(-30)), StoreMissing, "mcp-cxr ingest"),
        (iris.dbapi.DataError(SERVER_ERROR.format(-104)), StoreError, "IRIS_TABLE"),
        (iris.dbapi.DatabaseError(SERVER_ERROR.format(-257)), DimensionMismatch, "IRIS_TABLE"),
        (iris.dbapi.DatabaseError(SERVER_ERROR.format(-259)), DimensionMismatch, "IRIS_TABLE"),
        (iris.dbapi.DatabaseError(SERVER_ERROR.format(-260)), DimensionMismatch, "IRIS_TABLE"),
        (iris.dbapi.ProgrammingError(SERVER_ERROR.format(-1)), StatementRefused, "2024.1"),
        (iris.dbapi.ProgrammingError(SERVER_ERROR.format(-29)), StoreError, "another program made it"),
        (iris.dbapi.DatabaseError(SERVER_ERROR.format(-400)), StatementRefused, "messages.log"),
        (iris.dbapi.DatabaseError("something new"), StoreError, "report"),
    ],
)
def test_each_driver_error_is_translated(raised: Exception, kind: type[CxrError], advice: str) -> None:
    with pytest.raises(kind, match=advice) as caught, translating_errors("db:1972/USER A.B"):
        raise raised
    assert type(caught.value) is kind
    assert "db:1972/USER A.B" in str(caught.value)
    assert "Smith" not in str(caught.value)
    assert caught.value.__suppress_context__, "a logged traceback would quote the driver"


@pytest.mark.parametrize(
    "table", ["T", "A.B.C", "A.B; DROP TABLE C", 'A."B"', "1A.B", "A.", ".B", "A.B ", "A.{x}", "Ä.B"]
)
def test_a_table_name_that_needs_quotes_is_refused(table: str) -> None:
    with pytest.raises(ConfigError, match=r"Schema\.Table"):
        IrisConfig(table=table)


def test_a_pool_size_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="IRIS_POOL_SIZE"):
        IrisConfig(pool_size=0)
