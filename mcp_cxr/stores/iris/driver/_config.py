"""Address, table, pool size and timeouts of one server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mcp_cxr.errors import ConfigError

# Letters, digits and underscores: what needs no quotes in IRIS SQL. The side tables' endings must fit in too.
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}\.[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class IrisConfig:
    """One table in one namespace of one server.

    Raises:
        ConfigError: The table is not written as `Schema.Table`, or a figure is below 1.
    """

    host: str = "localhost"
    port: int = 1972
    namespace: str = "USER"
    username: str = ""
    password: str = field(default="", repr=False)
    table: str = "VectorSearch.MIMICCXRImages"
    pool_size: int = 4
    """Connections at most. Each uses a license unit, and a Community edition has few."""
    ssl_config: str | None = None
    """Section of the file named in ISC_SSLconfigurations; None: no TLS."""
    connect_timeout_s: int = 10
    acquire_timeout_s: float = 30.0
    """Maximum wait of a call for a free connection."""
    call_timeout_s: float = 60.0
    """Deadline of one statement."""
    ping_after_s: float = 30.0
    """A connection idle for longer is tested before use: firewalls drop idle connections."""
    lifetime_s: float = 1800.0
    """A connection is replaced at this age at most: it keeps every statement it has prepared."""

    def __post_init__(self) -> None:
        if not _TABLE.fullmatch(self.table):
            raise ConfigError(
                f"IRIS_TABLE is {self.table!r}; write it as Schema.Table, each of letters, digits and underscores"
                " with a letter first, for example VectorSearch.MIMICCXRImages."
            )
        if self.pool_size < 1:
            raise ConfigError(f"IRIS_POOL_SIZE is {self.pool_size}; it must be at least 1.")

    @property
    def location(self) -> str:
        """Server, namespace and table, for people."""
        return f"{self.host}:{self.port}, namespace {self.namespace}, table {self.table}"
