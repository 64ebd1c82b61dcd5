"""The record of a check of servers: a closed schema of numbers, booleans, our own codes and version numbers.

It has no field for a text of a server, so that it can be published. Whatever it holds changes a decision of mcp-cxr or
an entry of its documentation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from mcp_cxr.server_check._allowed_values import (  # noqa: TC001  # read at run time, to check values
    Case,
    CaseQuery,
    CellKind,
    Cosine,
    Count,
    Dialect,
    Failure,
    HttpStatus,
    KnownModel,
    Milliseconds,
    OptionName,
    Pair,
    PowerOfTen,
    Privilege,
    Request,
    Seconds,
    Sqlcode,
    State,
    TableName,
    VectorForm,
    Verb,
    Version,
    Wrong,
)
from mcp_cxr.server_check._operation_and_plan_codes import CallName, ExpectationName, PlanWord  # noqa: TC001  # as above

FORMAT = 1


class Facts(BaseModel):
    """Base of all: unknown fields and values of another type are refused, and no error quotes a value."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class PartFacts(Facts):
    """One part, which has its share of the time; what it found before it was stopped is kept."""

    state: State
    failure: Failure | None = None
    seconds: Seconds = 0


class StatementFacts(Facts):
    """One statement, run twice."""

    verb: Verb
    sqlcode: Sqlcode = 0
    first_ms: Milliseconds
    second_ms: Milliseconds | None = None
    rows: PowerOfTen | None = None
    """Of a query."""
    kinds: tuple[CellKind, ...] = ()
    """Of the cells of the first row."""


class CallFacts(Facts):
    """One operation of the store, and its statements."""

    call: CallName
    failure: Failure | None = None
    statements: tuple[StatementFacts, ...] = ()


class PrivilegeFacts(Facts):
    """One privilege, tried by a statement that needs it and changes no row."""

    privilege: Privilege
    table: TableName | None = None
    """None for %NOLOCK."""
    sqlcode: Sqlcode
    """0: held; 99: not; 30: there is no such table."""


class OptionFacts(Facts):
    """One option of the server; None if it gives no number."""

    option: OptionName
    value: Count | None
    sqlcode: Sqlcode = 0


class ServerFacts(PartFacts):
    """Which IRIS this is."""

    version: Version | None = None
    build: Count | None = None
    round_trip_ms: Milliseconds | None = None
    """Median of five."""
    options: tuple[OptionFacts, ...] = ()
    constants: tuple[CellKind, ...] = ()
    """Kinds of `1` as BIGINT, `0.5`, `0.5` as DOUBLE, `''`, NULL and `'007'`, as the driver gives them."""
    images: PowerOfTen | None = None
    """Rows of the archive's table; None if there is no archive."""
    vector_form: VectorForm | None = None
    """How a stored vector comes back."""
    has_index: bool | None = None


class PrivilegesFacts(PartFacts):
    """The privileges of the user."""

    privileges: tuple[PrivilegeFacts, ...] = ()


class StatementsFacts(PartFacts):
    """Every statement of the store that reads; with `--write` those that write too."""

    has_nolock: bool | None = None
    """Whether the user has the privilege %NOLOCK; of scratch tables."""
    facts_in_one_statement: bool | None = None
    """Whether the server takes the one statement that reads all facts of a result."""
    calls: tuple[CallFacts, ...] = ()


class PlanFacts(Facts):
    """How the server plans one query."""

    call: CallName
    sqlcode: Sqlcode = 0
    cost: PowerOfTen | None = None
    words: Annotated[tuple[PlanWord, ...], Field(max_length=400)] = ()
    """Known words of the plan, in their order; our tables are T1 to T7."""


class PlansFacts(PartFacts):
    """The plans of the queries that matter."""

    plans: tuple[PlanFacts, ...] = ()


class RefusalFacts(Facts):
    """The SQLCODE for something that is wrong on purpose."""

    wrong: Wrong
    sqlcode: Sqlcode


class CaseFacts(Facts):
    """The case in which a text comes back."""

    query: CaseQuery
    ignores_case: bool
    """Whether the column's collation is SQLUPPER; else %EXACT."""
    comes_back: Case


class CasesFacts(PartFacts):
    """How texts come back, and what is refused, on scratch tables."""

    refusals: tuple[RefusalFacts, ...] = ()
    cases: tuple[CaseFacts, ...] = ()
    words_without_documents: bool | None = None
    """Whether a search by words works in an archive that has none."""
    forget_keeps_study: bool | None = None
    """Whether a study in a table of the original program keeps its report when one of its images is forgotten."""


class SearchFacts(Facts):
    """One limit, by the index and by a scan."""

    limit: Count
    by_index_ms: Milliseconds
    by_scan_ms: Milliseconds
    found: Annotated[float, Field(ge=0, le=1)]
    """Share of the exact result that the index finds."""


class LoadFacts(PartFacts):
    """A load of drawn vectors, and the index of them."""

    rows: Count = 0
    dimension: Count = 0
    rows_per_s: Annotated[float, Field(ge=0, le=1e7)] | None = None
    index_sqlcode: Sqlcode | None = None
    index_s: Seconds | None = None
    update_sqlcode: Sqlcode | None = None
    """Of an UPDATE right after the index was built: 110 if that left a lock."""
    upsert_sqlcode: Sqlcode | None = None
    rows_per_s_with_index: Annotated[float, Field(ge=0, le=1e7)] | None = None
    index_is_planned: bool | None = None
    """Whether the plan of a search names the index."""
    searches: tuple[SearchFacts, ...] = ()
    filtered_rows: Count | None = None
    """Rows of a TOP 10 ordered by the score alone, with a filter that 1 % pass."""


class WritersFacts(PartFacts):
    """Two writers at once."""

    studies: Count = 0
    stored: Count | None = None
    failures: tuple[Failure, ...] = ()


class IrisFacts(Facts):
    """What was found of IRIS; None for the parts that need `--write`."""

    server: ServerFacts
    privileges: PrivilegesFacts
    statements: StatementsFacts
    plans: PlansFacts
    own_tables: StatementsFacts | None = None
    cases: CasesFacts | None = None
    load: LoadFacts | None = None
    writers: WritersFacts | None = None


class AnswerFacts(Facts):
    """The HTTP status of one request; 0 if there was no answer."""

    request: Request
    status: HttpStatus
    cosine: Cosine | None = None
    """Of a batch: the lowest between an image's vector in it and in a request of two."""


class CosineFacts(Facts):
    """The cosine of the vectors of two canned inputs: together a fingerprint of the model."""

    pair: Pair
    cosine: Cosine


class PaceFacts(Facts):
    """Images a second."""

    per_request: Count
    at_once: Count
    images_per_s: Annotated[float, Field(ge=0, le=1e7)]


class ServiceFacts(PartFacts):
    """Which service this is, and the shape of its answers."""

    dialect: Dialect
    model: KnownModel
    image_size: Count
    """Of NVCLIP_IMAGE_SIZE."""
    version: Version | None = None
    is_base64: bool | None = None
    first_index: Literal[0, 1] | None = None
    dimension: Count | None = None
    norm: Annotated[float, Field(ge=0, le=1e6)] | None = None
    answers: tuple[AnswerFacts, ...] = ()


class TextsFacts(PartFacts):
    """How the service reads texts."""

    words_at_least: Count | None = None
    """Common words of a long text that are read, at least."""
    words_at_most: Count | None = None
    """The same, at most; None: no limit was found."""
    long_text_status: HttpStatus | None = None
    padding: Literal["applied", "ignored", "not needed"] | None = None
    cosines: tuple[CosineFacts, ...] = ()


class ImagesFacts(PartFacts):
    """How the service reads images, and how fast."""

    seen_size: Count | None = None
    """Pixels to a side that reach the model; None if single pixels change nothing."""
    batches: tuple[AnswerFacts, ...] = ()
    paces: tuple[PaceFacts, ...] = ()


class ServiceRecord(Facts):
    """What was found of the embedding service."""

    service: ServiceFacts
    texts: TextsFacts
    images: ImagesFacts


class CheckRecord(Facts):
    """Everything that was found; None for a server that the settings do not name."""

    format: Literal[1] = FORMAT
    mcp_cxr: Version
    driver: Version | None = None
    python: Version
    iris: IrisFacts | None = None
    embedder: ServiceRecord | None = None
    as_expected: Count = 0
    expected: Count = 0
    differences: tuple[ExpectationName, ...] = ()

    def to_text(self) -> str:
        """Return the file's content: JSON."""
        return self.model_dump_json(indent=1) + "\n"


Part = TypeVar("Part", bound=PartFacts)
Found = dict[str, Any]
"""Fields of a part, as they are found."""
