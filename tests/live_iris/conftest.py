"""Tests with a real InterSystems IRIS, given by IRIS_HOST, IRIS_PORT, IRIS_NAMESPACE, IRIS_USERNAME and IRIS_PASSWORD.

They create tables in the schema McpCxrLive, and drop them. Without IRIS_HOST none of them runs, and the summary says
so.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import iris.dbapi
import pytest

from mcp_cxr.stores.iris import IrisConfig, IrisStore
from tests.contract.stores import conftest as contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_cxr.stores import Store

ENVIRONMENT = {name: value for name, value in os.environ.items() if name.startswith("IRIS_")}  # cleaned for tests
HERE = Path(__file__).parent

bare, store = contract.bare, contract.store  # fixtures, of the backend below


class LiveBackend:
    """A new table on the server given by the environment."""

    def __init__(self, folder: Path) -> None:  # unused: the server keeps its files
        self.config = IrisConfig(
            host=ENVIRONMENT["IRIS_HOST"],
            port=int(ENVIRONMENT.get("IRIS_PORT", "1972")),
            namespace=ENVIRONMENT.get("IRIS_NAMESPACE", "USER"),
            username=ENVIRONMENT.get("IRIS_USERNAME", ""),
            password=ENVIRONMENT.get("IRIS_PASSWORD", ""),
            table=f"McpCxrLive.T{uuid4().hex}",
            ssl_config=ENVIRONMENT.get("IRIS_SSL_CONFIG"),
        )

    def store(self) -> Store:
        return IrisStore(self.config)

    def execute(self, statement: str, values: list[object] | None = None) -> list[tuple]:
        """Run a statement beside the store, as another program would."""
        with self.connect(auto_commit=True) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, values) if values else cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def connect(self, *, auto_commit: bool) -> closing[iris.dbapi.IRISConnection]:
        """Return a connection beside the store, as another program has; it is closed at the end of a `with`."""
        tls = {"sslconfig": self.config.ssl_config} if self.config.ssl_config else {}
        return closing(
            iris.dbapi.connect(
                hostname=self.config.host,
                port=self.config.port,
                namespace=self.config.namespace,
                username=self.config.username,
                password=self.config.password,
                sharedmemory=False,
                autoCommit=auto_commit,
                **tls,
            )
        )

    def put_external(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        self.execute(
            f"INSERT INTO {self.config.table} (ImageID, StudyID, SubjectID, ViewPosition, Metadata, Vector)"  # noqa: S608  # a table of the test's own
            " VALUES (?, ?, ?, ?, ?, TO_VECTOR(?, DOUBLE))",
            [image_id, study_id, subject_id, view, '["not", "an", "object"]', ",".join(["1"] * 8)],
        )


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[LiveBackend]:
    live = LiveBackend(tmp_path)
    yield live
    async with live.store() as opened:
        await opened.drop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests if no server is given; a run of only these then fails."""
    live = [item for item in items if HERE in item.path.parents]
    if live and not ENVIRONMENT.get("IRIS_HOST"):
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report prominently that no real server was tested."""
    if not ENVIRONMENT.get("IRIS_HOST"):
        terminalreporter.section("NO REAL IRIS WAS TRIED", sep="!", red=True)
        terminalreporter.write_line(
            "Set IRIS_HOST, IRIS_PORT, IRIS_USERNAME and IRIS_PASSWORD and run `make test-iris`; see docs/iris.md."
        )
