"""Where the server is, and how patiently it is asked."""

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
        ConfigError: The table is not written as `Schema.Table`, or a figure is not positive.
    """

    host: str = "localhost"
    port: int = 1972
    namespace: str = "USER"
    username: str = ""
    password: str = field(default="", repr=False)
    table: str = "VectorSearch.MIMICCXRImages"
    pool_size: int = 4
    """Connections at most. Each takes a licence unit, and a Community edition has few."""
    ssl_config: str | None = None
    """Section of the file that ISC_SSLconfigurations names; None: no TLS."""
    connect_timeout_s: int = 10
    acquire_timeout_s: float = 30.0
    """How long a call waits for a free connection."""
    call_timeout_s: float = 60.0
    """How long one statement may take."""
    ping_after_s: float = 30.0
    """A connection that was idle for so long is tried before it is used: firewalls forget silent ones."""
    lifetime_s: float = 1800.0
    """A connection is replaced at this age at most: each keeps every statement it ever prepared."""

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
        return f"{self.host}:{self.port}/{self.namespace} {self.table}"
