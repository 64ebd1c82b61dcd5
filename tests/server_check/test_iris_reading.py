"""What `doctor --deep` finds out about IRIS without writing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.server_check._operation_and_plan_codes import READS
from mcp_cxr.server_check.iris import _reading_parts
from tests.server_check.conftest import ask, differences

if TYPE_CHECKING:
    from mcp_cxr.stores.iris import IrisConfig
    from tests.standins.iris import StandIn

GRANTS = [
    "%NOLOCK",
    *(
        f"{right} ON VectorSearch.MIMICCXRImages{side}"
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
        for side in ("", "Studies", "Labels", "Terms", "Sample", "Files", "Collection")
    ),
]


async def test_an_archive_on_a_documented_server_is_as_expected(archive: IrisConfig, server: StandIn) -> None:
    server.reset_counters()
    facts = await ask(archive)
    assert differences(facts) == {}
    assert (facts.server.version, facts.server.build, facts.server.images) == ("2026.1", 235, 1)
    assert facts.server.vector_form == "1,2"
    assert [call.call for call in facts.statements.calls] == list(READS)
    assert facts.statements.facts_in_one_statement is True
    assert all(one.second_ms for call in facts.statements.calls[:6] for one in call.statements)
    assert facts.plans.plans[0].words == ("read", "master", "map", "T1", "IDKEY", "looping")


async def test_no_row_changes_over_one_connection(archive: IrisConfig, server: StandIn) -> None:
    before = {table: server.rows(table) for table in server.tables}
    server.reset_counters()
    await ask(archive)
    assert {table: server.rows(table) for table in server.tables} == before
    counters = server.counters
    assert (counters["opened"], max(counters["most_locked_rows"].values())) == (1, 0)
    writing = [text for text in counters["statements"] if not text.lstrip().upper().startswith("SELECT")]
    assert len(writing) == 22
    nolock = "DELETE %NOLOCK FROM VectorSearch . MIMICCXRImagesTerms WHERE StudyID = :%qpar(1)"
    assert all("WHERE :%qpar(1) = :%qpar(2)" in text or text == nolock for text in writing)


async def test_without_an_archive_its_statements_are_left_out(config: IrisConfig) -> None:
    facts = await ask(config)
    assert differences(facts) == {}
    assert (facts.statements.failure, facts.plans.failure, facts.server.images) == (
        "StoreMissing",
        "StoreMissing",
        None,
    )


@pytest.mark.parametrize(
    ("grant", "name"), [("INSERT ON VectorSearch.MIMICCXRImagesTerms", "INSERT on Terms"), ("%NOLOCK", "%NOLOCK")]
)
async def test_a_missing_privilege_is_named(archive: IrisConfig, server: StandIn, grant: str, name: str) -> None:
    server.configure(username="reader", grants=[one for one in GRANTS if one != grant])
    facts = await ask(replace(archive, username="reader"))
    assert differences(facts) == {name: "SQLCODE -99: grant it as docs/iris.md says."}


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ({"version": "IRIS for UNIX 2024.2 (Build 1U)"}, {"HNSW version"}),
        ({"version": "Cache for UNIX 2018.1.2"}, set()),
        ({"options": {"LockThreshold": "500", "LockTimeout": "10"}}, {"option LockThreshold", "option FastDistinct"}),
        ({"numbers_as_text": True}, {"numbers"}),
        ({"vector_cell": "[" + ",".join(["1"] * 16) + "]"}, {"vector form"}),
        ({"explains": False}, {f"plan {name}" for name in _reading_parts._server_facts.PLANNED}),
    ],
)
async def test_each_difference_of_a_server_is_named(
    archive: IrisConfig, server: StandIn, setting: dict[str, Any], names: set[str]
) -> None:
    server.configure(**setting)
    assert set(differences(await ask(archive))) == names


async def test_a_refused_statement_is_named_with_its_sqlcode(archive: IrisConfig, server: StandIn) -> None:
    server.inject_fault("error", code=-23, times=99, matching="AS made CROSS JOIN")
    facts = await ask(archive)
    found = differences(facts)
    assert set(found) == {"statement facts at once", "statement facts of no image"}
    assert "SQLCODE -23" in found["statement facts at once"]
    assert facts.statements.facts_in_one_statement is False


async def test_a_lost_connection_fails_one_operation(archive: IrisConfig, server: StandIn) -> None:
    server.inject_fault("rst", matching="PathKey , f . FileSize")
    assert set(differences(await ask(archive))) == {"statement unchanged files"}


async def test_a_part_that_exceeds_its_share_is_not_finished(
    archive: IrisConfig, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_reading_parts.SHARES_S, "statements", 0.5)
    server.inject_fault("silence", matching="HAVING COUNT ( * )")
    facts = await ask(archive)
    assert facts.statements.state == "not finished"
    assert 5 < len(facts.statements.calls) < len(READS)
    assert (facts.privileges.state, facts.plans.state) == ("finished", "finished")
    assert set(differences(facts)) == {"part statements"}


async def test_an_unreachable_server_is_asked_once(archive: IrisConfig, server: StandIn) -> None:
    server.refuse_connections()
    facts = await ask(archive)
    assert (facts.server.failure, facts.privileges.state) == ("StoreUnavailable", "not asked")
    assert set(differences(facts)) == {"part server"}
