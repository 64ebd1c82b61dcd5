"""With any fault of a connection, a call ends in time, with the right result or an error with advice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, move_on_after, to_thread

from mcp_cxr.errors import ConfigError, StoreError, StoreUnavailable
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from tests.contract.stores.making import axis, ids, image, vectors
from tests.faults.iris_stores import IMAGES, config, fill
from tests.support.iris import plain_server, pool_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.standins.iris import StandIn

EVERY = Filter()
PROMPT_S = 10.0  # for what should be immediate, on a busy machine; a third of a call's deadline


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
async def right(tmp_path: Path) -> AsyncIterator[list[str]]:
    """The expected result, from the embedded store."""
    async with EmbeddedStore(tmp_path) as store:
        await fill(store)
        yield ids(await store.nearest(axis(), EVERY, limit=5))


@pytest.fixture
async def store(server: StandIn) -> AsyncIterator[IrisStore]:
    async with IrisStore(config(server)) as opened:
        await fill(opened)
        await opened.nearest(axis(), EVERY, limit=5)  # prepare the statements
        yield opened
        stats = pool_state(opened)
        assert stats.busy == 0
        await to_thread.run_sync(lambda: server.wait_until(open=stats.idle))  # no connection leaked


async def answer(store: IrisStore) -> list[str]:
    return ids(await store.nearest(axis(), EVERY, limit=5))


async def test_an_unanswered_statement_ends_at_its_deadline(server: StandIn, right: list[str]) -> None:
    async with IrisStore(config(server, call_timeout_s=0.5)) as store:
        await fill(store)
        server.inject_fault("silence", matching="VECTOR_COSINE")
        with fail_after(PROMPT_S), pytest.raises(StoreUnavailable, match=r"did not answer within 0\.5 s"):
            await answer(store)
        assert pool_state(store).calls_timed_out == 1
        assert await answer(store) == right
        await to_thread.run_sync(lambda: server.wait_until(open=pool_state(store).idle))


async def test_each_statement_has_its_own_deadline(server: StandIn) -> None:
    async with IrisStore(config(server, call_timeout_s=2.0)) as store:
        await fill(store)
        server.inject_fault("delay", times=5, ms=500)
        await store.put([image("late")], vectors(1))
        assert await store.known_ids([ImageId("late")]) == {"late"}


async def test_a_cancelled_call_ends_at_once_and_closes_its_connection(
    server: StandIn, store: IrisStore, right: list[str]
) -> None:
    server.inject_fault("silence", matching="VECTOR_COSINE")
    with fail_after(PROMPT_S), move_on_after(0.2) as scope:
        await answer(store)
    assert scope.cancelled_caught
    assert await answer(store) == right


async def test_cancelled_calls_release_their_connections(server: StandIn, store: IrisStore, right: list[str]) -> None:
    server.inject_fault("silence", times=12, matching="VECTOR_COSINE")
    with move_on_after(0.5):
        async with create_task_group() as group:
            for _ in range(12):
                group.start_soon(answer, store)
    server.clear_faults()
    with fail_after(PROMPT_S):
        assert await answer(store) == right


@pytest.mark.parametrize("kind", ["rst", "fin", "truncate", "list error"])
async def test_a_query_is_retried_once_after_a_lost_connection(
    server: StandIn, store: IrisStore, right: list[str], kind: str
) -> None:
    server.inject_fault(kind, matching="VECTOR_COSINE")
    assert await answer(store) == right
    assert (pool_state(store).retried, pool_state(store).lost) == (1, 1)


async def test_a_query_that_loses_two_connections_says_what_to_check(server: StandIn, store: IrisStore) -> None:
    server.inject_fault("rst", times=2, matching="VECTOR_COSINE")
    with pytest.raises(StoreUnavailable, match="Check that the server is up"):
        await answer(store)


@pytest.mark.parametrize("kind", ["rst", "fin", "list error"])
async def test_a_retried_write_writes_once(server: StandIn, store: IrisStore, kind: str) -> None:
    server.inject_fault(kind, matching="INSERT OR UPDATE", skip=1)
    await store.put([image("new"), image("i00000")], vectors(2))
    assert (await store.totals()).images == IMAGES + 1
    assert ids(await store.match(["pa"], Filter(image_id=ImageId("new")), limit=9)) == ["new"]


async def test_a_write_whose_commit_is_not_answered_is_stored_once(server: StandIn, store: IrisStore) -> None:
    server.inject_fault("rst", on=["TC"], after=True)
    await store.put([image("new")], vectors(1))
    assert (await store.totals()).images == IMAGES + 1


async def test_forget_is_not_retried(server: StandIn, store: IrisStore) -> None:
    server.inject_fault("rst", on=["TC"], after=True)
    with pytest.raises(StoreUnavailable):
        await store.forget(Filter(image_id=ImageId("i00000")))
    assert await store.forget(Filter(image_id=ImageId("i00000"))) == 0


async def test_an_aborted_write_writes_nothing(server: StandIn) -> None:
    async with IrisStore(config(server, call_timeout_s=0.5)) as store:
        await fill(store)
        server.inject_fault("silence", matching="SET DocLength")
        with pytest.raises(StoreUnavailable):
            await store.put([image("half")], vectors(1))
        server.clear_faults()
        await to_thread.run_sync(lambda: server.wait_until(open=pool_state(store).idle))
        assert await store.known_ids([ImageId("half")]) == set()


async def test_connections_lost_while_idle_cost_one_retry(server: StandIn, right: list[str]) -> None:
    async with IrisStore(config(server)) as store:
        await fill(store)
        async with create_task_group() as group:
            for _ in range(4):
                group.start_soon(answer, store)
        server.drop_connections(resets=True)
        assert [await answer(store) for _ in range(4)] == [right] * 4
        assert pool_state(store).retried == 1


async def test_a_connection_idle_for_long_is_tested_before_use(server: StandIn, right: list[str]) -> None:
    async with IrisStore(config(server, ping_after_s=0.0)) as store:
        await fill(store)
        server.drop_connections()
        assert await answer(store) == right
        assert pool_state(store).retried == 0


async def test_connections_are_replaced_at_the_end_of_their_lifetime(server: StandIn, right: list[str]) -> None:
    async with IrisStore(config(server, lifetime_s=0.0)) as store:
        await fill(store)
        opened = pool_state(store).opened
        assert [await answer(store) for _ in range(3)] == [right] * 3
        assert pool_state(store).opened == opened + 3
        await to_thread.run_sync(lambda: server.wait_until(open=1))


async def test_connections_are_replaced_after_tables_were_created(server: StandIn) -> None:
    async with IrisStore(config(server)) as store:
        await store.create()
        await store.totals()
        assert pool_state(store).opened == 2


async def test_an_exhausted_pool_raises_after_its_timeout(server: StandIn) -> None:
    async with IrisStore(config(server, pool_size=1, acquire_timeout_s=0.3)) as store:
        await fill(store)
        server.inject_fault("silence", matching="VECTOR_COSINE")
        async with create_task_group() as group:
            group.start_soon(answer, store)
            await to_thread.run_sync(lambda: server.wait_until(faults_injected=1))
            with pytest.raises(StoreUnavailable, match="IRIS_POOL_SIZE"):
                await store.totals()
            group.cancel_scope.cancel()
        assert pool_state(store).acquires_timed_out == 1
        assert (await store.totals()).images == IMAGES


async def test_the_pool_opens_no_more_connections_than_its_size(server: StandIn, right: list[str]) -> None:
    answers: list[list[str]] = []
    async with IrisStore(config(server, pool_size=2)) as store:
        await fill(store)

        async def ask() -> None:
            answers.append(await answer(store))

        async with create_task_group() as group:
            for _ in range(20):
                group.start_soon(ask)
        assert pool_state(store).idle <= 2
    assert answers == [right] * 20


async def test_an_unreachable_server_is_reported_with_what_to_check(server: StandIn) -> None:
    async with IrisStore(config(server)) as store:
        server.refuse_connections()
        with pytest.raises(StoreUnavailable, match="Check IRIS_HOST and IRIS_PORT"):
            await store.info()
        server.clear_faults()
        await store.create()


async def test_a_silent_server_times_out_on_connect(server: StandIn) -> None:
    server.inject_fault("silence", on=["HS"])
    async with IrisStore(config(server, connect_timeout_s=1)) as store:
        with fail_after(1 + PROMPT_S), pytest.raises(StoreUnavailable, match="Check IRIS_HOST"):
            await store.info()


async def test_a_wrong_password_is_refused_and_never_shown(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = config(server, password="hunter2-and-more")  # noqa: S106  # not a real one
    async with IrisStore(wrong) as store:
        with pytest.raises(ConfigError, match="Check IRIS_USERNAME, IRIS_PASSWORD") as refused:
            await store.info()
    told = f"{refused.value} {refused.value.__cause__} {refused.value.__context__} {wrong} {store!r} {caplog.text}"
    assert "hunter2" not in told


async def test_an_exhausted_license_says_what_to_lower(server: StandIn) -> None:
    server.configure(max_connections=0)
    async with IrisStore(config(server)) as store:
        with pytest.raises(StoreUnavailable, match="Lower IRIS_POOL_SIZE"):
            await store.info()


@pytest.mark.parametrize(
    ("code", "error", "advice"),
    [
        (-99, StoreError, "privileges"),
        (-110, StoreUnavailable, "locked"),
        (-104, StoreError, "different length"),
        (-400, StoreError, r"messages\.log"),
    ],
)
async def test_a_server_error_has_advice_and_shows_no_stored_value(
    server: StandIn, store: IrisStore, code: int, error: type[StoreError], advice: str
) -> None:
    server.inject_fault(
        "error", code=code, text="Field 'Report' (value 'Mrs Smith') failed", matching="INSERT OR UPDATE"
    )
    with pytest.raises(error, match=advice) as refused:
        await store.put([image("new")], vectors(1))
    assert "Smith" not in f"{refused.value} {refused.value.__cause__}"
    assert refused.value.__suppress_context__
    assert await store.known_ids([ImageId("new")]) == set()


async def test_images_of_one_study_written_by_two_processes_are_all_found(server: StandIn) -> None:
    tags = [f"tag{letter}" for letter in "abcdefgh"]
    async with IrisStore(config(server)) as one, IrisStore(config(server)) as other:
        await fill(one)
        async with create_task_group() as group:
            for number, tag in enumerate(tags):
                record = image(f"n{number}", "s-shared", tags={"StudyDescription": tag})
                group.start_soon((one, other)[number % 2].put, [record], vectors(1))
        found = [await one.match([tag], EVERY, limit=99) for tag in tags]
    assert [len(hits) for hits in found] == [len(tags)] * len(tags), "a study is found by the tags of all its images"
