"""The record is closed: each text in it is a code or a version number."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mcp_cxr.records import Filter, Fingerprint
from mcp_cxr.server_check import CheckRecord
from mcp_cxr.server_check._allowed_values import power_of_ten
from mcp_cxr.server_check._operation_and_plan_codes import FILTERS, PLANNED, READS, WRITES
from mcp_cxr.server_check._record import PlanFacts, ServerFacts
from mcp_cxr.server_check.iris import _server_facts, _store_calls
from mcp_cxr.server_check.iris._server_facts import reduce_plan, vector_form
from mcp_cxr.stores.iris import _store
from mcp_cxr.stores.iris.schema import Entries

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "Canary-Smith-1938"
TABLE = "VectorSearch.MIMICCXRImages"
PLAN = f"""<plans><plan><sql>SELECT TOP 5 {CANARY} FROM {TABLE} WHERE "{CANARY}" = 'scan'</sql>
<cost value="407137"/> Read index map {TABLE}.ByVector, using the given {CANARY}, and looping on ID.
Read master map {TABLE}Studies.IDKEY. Read master map {CANARY}.Person.IDKEY.</plan></plans>"""  # noqa: S608  # no statement is run


def texts_of(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every place of a JSON schema that may hold a text."""
    if isinstance(schema, list):
        for number, one in enumerate(schema):
            yield from texts_of(one, f"{path}[{number}]")
    elif isinstance(schema, dict):
        if schema.get("type") == "string":
            yield path, schema
        for name, one in schema.items():
            yield from texts_of(one, f"{path}/{name}")


def test_every_text_is_one_of_a_list_or_a_version():
    found = list(texts_of(CheckRecord.model_json_schema()))
    assert len(found) > 20
    assert [path for path, schema in found if not {"enum", "const", "pattern"} & schema.keys()] == []


def test_every_object_refuses_other_fields():
    schemas = CheckRecord.model_json_schema()["$defs"].values()
    assert all(schema["additionalProperties"] is False for schema in schemas if schema["type"] == "object")


@pytest.mark.parametrize("version", [CANARY, "2026.1 Smith", "10.0.0.1", "2026", ""])
def test_a_version_is_two_or_three_numbers(version: str):
    with pytest.raises(ValidationError):
        ServerFacts(state="finished", version=version)


def test_errors_quote_no_value():
    record = CheckRecord(mcp_cxr="0.1.0", python="3.11.7").to_text()
    for text in (f'{{"mcp_cxr": "{CANARY}"}}', CANARY, record.replace("3.11.7", CANARY)):
        with pytest.raises(ValidationError) as caught:
            CheckRecord.model_validate_json(text)
        assert CANARY not in str(caught.value)


def test_a_plan_is_reduced_to_known_words():
    facts = PlanFacts(call="nearest", **reduce_plan(PLAN, TABLE))
    words = "read index map T1 ByVector using given looping read master map T2 IDKEY read master map IDKEY"
    assert (facts.cost, facts.words) == (5, tuple(words.split()))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1,-.5,2e-7", "1,2"),
        ("[0.5,1]", "[1,2]"),
        (CANARY, "another form"),
        ("1 2", "another form"),
        ("", "another form"),
    ],
)
def test_the_form_of_a_vector_is_a_code(text: str, form: str):
    assert vector_form(text) == form


def test_counts_become_powers_of_ten():
    assert [power_of_ten(count) for count in (0, 1, 9, 10, 377_110)] == [-1, 0, 0, 1, 5]


def test_each_operation_has_a_code():
    given = _store_calls.Inputs("here", Entries({}), (), (), _store_calls.drawn_vectors(1, 8))
    made = [name for name, _ in _store_calls.reads(given)]
    written = [
        name for name, _ in [*_store_calls.writes("here", Fingerprint("m", 8, "1"), 1), *_store_calls.removals()]
    ]
    assert (tuple(made), tuple(written)) == (READS, WRITES)
    assert set(PLANNED) < set(READS)
    assert set(FILTERS) == {field.name for field in fields(Filter)}


def test_each_operation_of_the_store_is_run():
    """The store calls `tables.images.put`, and the record has a call that does."""
    used = set(re.findall(r"tables\.(\w+)\.(\w+)\(", inspect.getsource(_store)))
    assert len(used) > 20
    sources = inspect.getsource(_store_calls) + inspect.getsource(_server_facts)
    aliased = sources.replace("ranking.", "rankings_and_counts.")
    assert {f"{module}.{name}" for module, name in used if f"{module}.{name}" not in aliased} == set()
