"""Tests for a real InterSystems IRIS, which IRIS_HOST, IRIS_PORT, IRIS_NAMESPACE, IRIS_USERNAME and IRIS_PASSWORD name.

They make tables of their own in the schema McpCxrLive, and drop them. Without IRIS_HOST none of them runs, and the
summary says so.
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

GIVEN = {name: value for name, value in os.environ.items() if name.startswith("IRIS_")}  # tests get a clean environment
HERE = Path(__file__).parent

bare, store = contract.bare, contract.store  # fixtures, of the backend below


class LiveBackend:
    """A table of its own on the server that the environment names."""

    def __init__(self, folder: Path) -> None:  # the server keeps no files here
        self.config = IrisConfig(
            host=GIVEN["IRIS_HOST"],
            port=int(GIVEN.get("IRIS_PORT", "1972")),
            namespace=GIVEN.get("IRIS_NAMESPACE", "USER"),
            username=GIVEN.get("IRIS_USERNAME", ""),
            password=GIVEN.get("IRIS_PASSWORD", ""),
            table=f"McpCxrLive.T{uuid4().hex}",
            ssl_config=GIVEN.get("IRIS_SSL_CONFIG"),
        )

    def store(self) -> Store:
        return IrisStore(self.config)

    def execute(self, statement: str, values: list[object] | None = None) -> list[tuple]:
        """Run a statement beside the store, as another program would."""
        tls = {"sslconfig": self.config.ssl_config} if self.config.ssl_config else {}
        with closing(
            iris.dbapi.connect(
                hostname=self.config.host,
                port=self.config.port,
                namespace=self.config.namespace,
                username=self.config.username,
                password=self.config.password,
                sharedmemory=False,
                autoCommit=True,
                **tls,
            )
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, values) if values else cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def plant_foreign(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        self.execute(
            f"INSERT INTO {self.config.table} (ImageID, StudyID, SubjectID, ViewPosition, Metadata, Vector)"  # noqa: S608  # a table of the test's own
            " VALUES (?, ?, ?, ?, ?, TO_VECTOR(?, DOUBLE))",
            [image_id, study_id, subject_id, view, '["no", "object", "of ours"]', ",".join(["1"] * 8)],
        )


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[LiveBackend]:
    made = LiveBackend(tmp_path)
    yield made
    async with made.store() as opened:
        await opened.drop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a server where none is named: a run of nothing else then fails."""
    live = [item for item in items if HERE in item.path.parents]
    if live and not GIVEN.get("IRIS_HOST"):
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly when no real server was asked."""
    if not GIVEN.get("IRIS_HOST"):
        terminalreporter.section("NO REAL IRIS WAS TRIED", sep="!", red=True)
        terminalreporter.write_line(
            "Set IRIS_HOST, IRIS_PORT, IRIS_USERNAME and IRIS_PASSWORD and run `make test-iris`; see docs/iris.md."
        )
