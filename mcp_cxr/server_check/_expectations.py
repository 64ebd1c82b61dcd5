"""Compares the answers in a record with those that mcp-cxr expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.server_check._record import (
        CasesFacts,
        CheckRecord,
        ImagesFacts,
        IrisFacts,
        LoadFacts,
        PartFacts,
        ServerFacts,
        ServiceFacts,
        ServiceRecord,
        StatementsFacts,
        TextsFacts,
    )

_FIRST_WITH_VECTORS, _FIRST_WITH_HNSW = (2024, 1), (2025, 1)
_OPTIONS = {"LockThreshold": 1000, "LockTimeout": 10, "FastDistinct": 1}
_NO_SUCH_TABLE = 30
_CONSTANTS = 6
_REFUSALS = {
    "vector length in INSERT": {104, 257, 259, 260},
    "vector length in a query": {257, 259, 260},
    "text for a number": {104},
    "text too long": {104},
    "no such table": {30},
    "no such column": {29},
    "second row of one key": {119},
}
_MAY_BE_CAPITALS = {"DISTINCT", "GROUP BY", "MAX", "UNION"}
_LEAST_FOUND = 0.9
_LEAST_ROWS_PER_S = 10.0  # of 250 rows in a message, which may take 60 s, with some to spare
_FILTERED_ROWS = 10
_OK = 200
_FULL_BATCH = {"nim": "64 images", "infinity": "32 images", "vllm": "64 images"}
_LEAST_WORDS = {"nim": 70, "infinity": 70, "vllm": 58}
"""Common words of the 77 tokens of CLIP, or the 64 of SigLIP."""
_DIMENSIONS = {"nvidia/nvclip-vit-h-14": 1024, "nvidia/nvclip": 1024, "google/medsiglip-448": 1152}
_SAME = 0.999


@dataclass(frozen=True, slots=True)
class Expectation:
    """One comparison."""

    name: str
    """One of `EXPECTATIONS`."""
    holds: bool
    meaning: str
    """What follows if it does not hold."""


def expectations(record: CheckRecord) -> list[Expectation]:
    """Return every comparison that the record allows; what was not asked is left out."""
    found: list[Expectation] = []
    if record.iris:
        found += _of_iris(record.iris)
    if record.embedder:
        found += _of_service(record.embedder)
    return found


def with_differences(record: CheckRecord) -> CheckRecord:
    """Return the record with the number of expectations that hold, and the names of the others."""
    found = expectations(record)
    names = tuple(one.name for one in found if not one.holds)
    counts = {"as_expected": len(found) - len(names), "expected": len(found)}
    return record.model_copy(update={**counts, "differences": names})


def _of_iris(iris: IrisFacts) -> Iterator[Expectation]:
    parts = {"server": iris.server, "privileges": iris.privileges, "statements": iris.statements, "plans": iris.plans}
    written = {"own tables": iris.own_tables, "cases": iris.cases, "load": iris.load, "writers": iris.writers}
    yield from _parts({**parts, **{name: part for name, part in written.items() if part}})
    yield from _server(iris.server)
    for one in iris.privileges.privileges:
        if one.sqlcode != _NO_SUCH_TABLE:
            name = f"{one.privilege} on {one.table}" if one.table else one.privilege
            yield Expectation(name, one.sqlcode == 0, f"SQLCODE -{one.sqlcode}: grant it as docs/iris.md says.")
    yield from _calls("statement", iris.statements)
    for plan in iris.plans.plans:
        meaning = f"EXPLAIN is refused (SQLCODE -{plan.sqlcode}): the plan is not known."
        yield Expectation(f"plan {plan.call}", plan.sqlcode == 0, meaning)
        if plan.call == "nearest" and iris.server.has_index and plan.sqlcode == 0:
            yield _index_is_planned(is_planned="ByVector" in plan.words)
    if iris.own_tables:
        if iris.own_tables.has_nolock is not None and iris.server.images is None:
            meaning = "Each study is a transaction of its own: grant it as docs/iris.md says."
            yield Expectation("%NOLOCK", iris.own_tables.has_nolock, meaning)
        yield from _calls("own statement", iris.own_tables)
    if iris.cases:
        yield from _cases(iris.cases)
    if iris.load:
        yield from _load(iris.load)
    if iris.writers and iris.writers.stored is not None:
        holds = not iris.writers.failures and iris.writers.stored == iris.writers.studies
        yield Expectation("two writers", holds, "Two ingests at once hinder each other: run one at a time.")


def _parts(parts: dict[str, PartFacts]) -> Iterator[Expectation]:
    """Yield whether each part was finished; one that was not asked follows from another."""
    for name, part in parts.items():
        is_without_archive = name in ("statements", "plans") and part.failure == "StoreMissing"
        if part.state != "not asked" and not is_without_archive:
            why = f" ({part.failure})" if part.failure else ""
            yield Expectation(f"part {name}", part.state == "finished", f"{part.state}{why} after {part.seconds:g} s.")


def _server(server: ServerFacts) -> Iterator[Expectation]:
    if server.version:
        version = tuple(int(part) for part in server.version.split("."))[:2]
        yield Expectation("IRIS version", version >= _FIRST_WITH_VECTORS, "Vectors need IRIS 2024.1 or later.")
        yield Expectation(
            "HNSW version", version >= _FIRST_WITH_HNSW, "An index of vectors needs IRIS 2025.1 or later."
        )
    for option in server.options:
        expected = _OPTIONS[option.option]
        meaning = (
            f"It is {option.value}, not {expected}." if option.value is not None else "The server gives no number."
        )
        yield Expectation(f"option {option.option}", option.value == expected, meaning)
    if len(server.constants) == _CONSTANTS:
        big, _, double, _, null, _ = server.constants
        holds = (big, double, null) == ("integer", "float", "null")
        yield Expectation("numbers", holds, "Numbers come back as other types than the driver's usual ones.")
    if server.vector_form:
        yield Expectation("vector form", server.vector_form == "1,2", "Vectors come back in another form.")


def _calls(kind: str, part: StatementsFacts) -> Iterator[Expectation]:
    for call in part.calls:
        codes = [one.sqlcode for one in call.statements if one.sqlcode]
        shown = f" (SQLCODE -{codes[-1]})" if codes else ""
        yield Expectation(f"{kind} {call.call}", call.failure is None, f"It fails: {call.failure}{shown}.")


def _cases(cases: CasesFacts) -> Iterator[Expectation]:
    for one in cases.refusals:
        meaning = f"SQLCODE -{one.sqlcode}, for which mcp-cxr has another message or none."
        yield Expectation(f"refusal {one.wrong}", one.sqlcode in _REFUSALS[one.wrong], meaning)
    for query in dict.fromkeys(one.query for one in cases.cases):
        holds = all(
            one.comes_back == "as stored"
            or (one.comes_back == "capitals" and one.ignores_case and query in _MAY_BE_CAPITALS)
            for one in cases.cases
            if one.query == query
        )
        yield Expectation(f"case {query}", holds, "Texts come back in another case than documented.")
    if cases.words_without_documents is not None:
        meaning = "A search by words fails in an archive without reports."
        yield Expectation("words without documents", cases.words_without_documents, meaning)
    if cases.forget_keeps_study is not None:
        meaning = "`forget` of one image removes the report of its study: do not use it on this table."
        yield Expectation("forget keeps study", cases.forget_keeps_study, meaning)


def _load(load: LoadFacts) -> Iterator[Expectation]:
    if load.rows_per_s is not None:
        slow = f"{load.rows_per_s:g} rows a second: writes may exceed their time limit."
        yield Expectation("rows a second", load.rows_per_s >= _LEAST_ROWS_PER_S, slow)
    if load.index_sqlcode is not None:
        refused = f"SQLCODE -{load.index_sqlcode}: searches read all vectors."
        yield Expectation("index built", load.index_sqlcode == 0, refused)
    for name, code in (("update after index", load.update_sqlcode), ("upsert after index", load.upsert_sqlcode)):
        if code is not None:
            yield Expectation(name, code == 0, f"SQLCODE -{code} right after the index was built: it leaves a lock.")
    if load.index_is_planned is not None:
        yield _index_is_planned(is_planned=load.index_is_planned)
    if load.searches:
        worst = min(one.found for one in load.searches)
        meaning = f"The index finds {worst:.0%} of the exact result at one limit."
        yield Expectation("index finds", worst >= _LEAST_FOUND, meaning)
    if load.filtered_rows is not None:
        meaning = f"A filtered TOP 10 returns {load.filtered_rows} rows; mcp-cxr does not use the index for filters."
        yield Expectation("rows with a filter", load.filtered_rows == _FILTERED_ROWS, meaning)


def _index_is_planned(*, is_planned: bool) -> Expectation:
    return Expectation(
        "index is planned", is_planned, "Searches do not use the index of vectors: it costs and gains nothing."
    )


def _of_service(record: ServiceRecord) -> Iterator[Expectation]:
    service = record.service
    yield from _parts({"service": service, "texts": record.texts, "images": record.images})
    yield from _answers(service)
    if service.is_base64 is not None:
        yield Expectation("base64", service.is_base64, "Vectors come as decimals, which are slower to read.")
    if service.dimension is not None:
        known = _DIMENSIONS.get(service.model, service.dimension)
        yield Expectation("dimension", service.dimension == known, f"{service.dimension} numbers, not {known}.")
    if service.norm is not None:
        yield Expectation("norm", abs(service.norm - 1) <= 0.02, f"Vectors have length {service.norm:g}, not 1.")  # noqa: PLR2004  # as `validated` allows
    yield from _texts(record.texts, service)
    yield from _images(record.images, service)


def _answers(service: ServiceFacts) -> Iterator[Expectation]:
    statuses = {answer.request: answer.status for answer in service.answers}
    if not any(statuses.values()):  # it is not there
        return
    for name in ("health", "identity"):
        if name in statuses:
            yield Expectation(name, statuses[name] == _OK, f"Status {statuses[name]}; check NVCLIP_DIALECT.")
    if "a damaged image" in statuses:
        status = statuses["a damaged image"]
        meaning = f"Status {status}: one damaged image may stop an ingest."
        yield Expectation("damaged image", status in (400, 422), meaning)
    names = {request: status for request, status in statuses.items() if request.startswith("name ")}
    if names:
        meaning = "The configured name of the model is refused; set NVCLIP_MODEL to the other one."
        yield Expectation("model name", statuses.get(f"name {service.model}") == _OK, meaning)  # pyright: ignore[reportArgumentType]  # a code, or not found
    if service.dialect != "infinity" and statuses.get("identity") == _OK:
        yield Expectation(
            "service version", service.version is not None, "It states no version: an update is not noticed."
        )


def _texts(texts: TextsFacts, service: ServiceFacts) -> Iterator[Expectation]:
    if texts.long_text_status is not None:
        meaning = f"Long texts are refused ({texts.long_text_status}) and then matched by words."
        yield Expectation("long text", texts.long_text_status == _OK, meaning)
    if texts.words_at_least is not None:
        least = _LEAST_WORDS[service.dialect]
        meaning = f"Only the first {texts.words_at_least} words of a text are read, or few more; keep queries short."
        yield Expectation("words read", (texts.words_at_most or texts.words_at_least) >= least, meaning)
    if texts.padding is not None:
        meaning = "It ignores padding: vectors of texts mean nothing. Use vLLM 0.29 or later."
        yield Expectation("padding", texts.padding != "ignored", meaning)
    same = [one.cosine for one in texts.cosines if one.pair in ("same text", "same image")]
    if same:
        meaning = f"The same input gives vectors of cosine {min(same):g}: ranks change from call to call."
        yield Expectation("same vector again", min(same) >= _SAME, meaning)


def _images(images: ImagesFacts, service: ServiceFacts) -> Iterator[Expectation]:
    batches = {answer.request: answer for answer in images.batches}
    full = batches.get(_FULL_BATCH[service.dialect])  # pyright: ignore[reportArgumentType]  # one of its codes
    if full:
        meaning = f"A request of {full.request} is answered with {full.status}, or with other vectors than a small one."
        yield Expectation("full batch", full.status == _OK and (full.cosine or 0) >= _SAME, meaning)
    if images.seen_size is not None:
        meaning = f"The model reads {images.seen_size} pixels to a side; NVCLIP_IMAGE_SIZE is {service.image_size}."
        yield Expectation("image size", images.seen_size == service.image_size, meaning)
