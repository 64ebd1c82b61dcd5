"""Over TLS calls are aborted as over plain TCP, and a server with an untrusted certificate is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import fail_after, move_on_after, to_thread

from mcp_cxr.errors import StoreUnavailable
from mcp_cxr.records import Filter
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import axis
from tests.faults.iris_stores import config, fill
from tests.standins.iris import CONFIG, StandIn, make_authority
from tests.support.iris import pool_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    folder = tmp_path / "authority"
    folder.mkdir()
    make_authority(folder)
    return folder


@pytest.fixture
def server(authority: Path) -> Iterator[StandIn]:
    with StandIn(tls=authority) as started:
        yield started


def trust(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("ISC_SSLconfigurations", str(folder / "ssl.ini"))


async def test_a_call_over_tls_ends_at_its_deadline_and_when_cancelled(
    server: StandIn, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, authority)
    async with IrisStore(config(server, ssl_config=CONFIG, call_timeout_s=0.5)) as store:
        await fill(store)
        expected = await store.nearest(axis(), Filter(), limit=5)
        server.inject_fault("silence", times=2, matching="VECTOR_COSINE")
        with fail_after(10), pytest.raises(StoreUnavailable, match="did not answer"):
            await store.nearest(axis(), Filter(), limit=5)
        with fail_after(10), move_on_after(0.2) as scope:
            await store.nearest(axis(), Filter(), limit=5)
        assert scope.cancelled_caught
        assert await store.nearest(axis(), Filter(), limit=5) == expected
        await to_thread.run_sync(lambda: server.wait_until(open=pool_state(store).idle))


async def test_a_server_signed_by_another_authority_is_refused(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    make_authority(tmp_path / "other")
    trust(monkeypatch, tmp_path / "other")
    async with IrisStore(config(server, ssl_config=CONFIG)) as store:
        with pytest.raises(StoreUnavailable, match="IRIS_SSL_CONFIG"):
            await store.info()


async def test_a_missing_tls_configuration_file_is_named(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISC_SSLconfigurations", raising=False)
    async with IrisStore(config(server, ssl_config=CONFIG)) as store:
        with pytest.raises(StoreUnavailable, match="ISC_SSLconfigurations"):
            await store.info()


async def test_a_tls_server_refuses_a_plain_connection(server: StandIn) -> None:
    async with IrisStore(config(server, connect_timeout_s=1)) as store:
        with pytest.raises(StoreUnavailable, match="IRIS_HOST"):
            await store.info()
