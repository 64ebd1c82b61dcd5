"""The longer lists of values that a record may hold: store operations, words of query plans, names of expectations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, get_args

from pydantic import AfterValidator, WithJsonSchema

from mcp_cxr.server_check._allowed_values import TABLES, CaseQuery, OptionName, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

FILTERS: Final = (
    *("view", "image_id", "study_id", "subject_id", "labels", "labels_absent", "labels_blank", "split"),
    *("date_from", "date_to", "has_report", "sex", "age_from", "age_to", "lacks_sex", "lacks_age"),
    *("exclude_subject", "exclude_images", "only_images", "clauses"),
)
"""The fields of `Filter`."""
READS: Final = (
    *("entries", "known ids", "images by id", "images by id with vectors", "first images", "next images"),
    *("nearest", "nearest with a filter", "match", "match by presence", "browse", "term counts", "study facts"),
    *("totals", "external rows", "count images", "count studies", "count subjects", "reference sample"),
    *("facts at once", "facts in parts", "facts of no image"),
    *("outcomes", "unchanged files", "refused files", "files of images", "files of a name", "empty studies"),
    *(f"filter {name}" for name in FILTERS),
)
"""Operations that read."""
WRITES: Final = (
    *("create tables", "put images", "put studies", "put images again", "record outcomes", "update fingerprint"),
    *("rebuild documents", "forget image", "forget study", "drop tables"),
)
"""Operations that write; only with `--write`, on scratch tables."""
PLANNED: Final = ("nearest", "nearest with a filter", "match", "facts at once", "images by id")
"""The queries whose plan is recorded."""
CALLS: Final = frozenset(READS + WRITES)

_INDEXES = "ByStudy BySubject ByView ByVector ByDate ByLength ByLabel ByKey ByImage IDKEY"
_OPERATORS = (
    "read master index map maps bitmap bitmaps extent looping loop using given range multi-index combination stream"
    " idkey values call module populates temp-file temp-files lookup output row rows each sort sorted distinct"
    " aggregate aggregates count sum max min accumulate group union subquery subqueries join outer inner left cross"
    " product parallel partition partitions skip first top stop hnsw ann approximate nearest neighbor neighbors vector"
    " cosine similarity distance dot scan full table columnar filter test condition having warning not tuned unique"
    " duplicate hash merge nested generate add insert update delete"
)
PLAN_WORDS: Final = {
    **{word: word for word in _OPERATORS.split()},
    **{word.lower(): word for word in _INDEXES.split()},
    **{f"t{number}": f"T{number}" for number in range(1, 8)},
}
"""Words of plans that are recorded, by their lower case; all others are left out."""

PARTS: Final = (
    *("server", "privileges", "statements", "plans", "own tables", "cases", "load", "writers"),
    *("service", "texts", "images"),
)
EXPECTATIONS: Final = frozenset(
    [
        *(f"part {name}" for name in PARTS),
        *(f"option {name}" for name in get_args(OptionName)),
        *(f"{right} on {table}" for right in ("SELECT", "INSERT", "UPDATE", "DELETE") for table in TABLES),
        *(f"statement {call}" for call in CALLS),
        *(f"own statement {call}" for call in CALLS),
        *(f"plan {call}" for call in PLANNED),
        *(f"refusal {wrong}" for wrong in get_args(Wrong)),
        *(f"case {query}" for query in get_args(CaseQuery)),
        *(
            "%NOLOCK",
            "IRIS version",
            "HNSW version",
            "numbers",
            "vector form",
            "index is planned",
            "words without documents",
        ),
        *(
            "forget keeps study",
            "index built",
            "update after index",
            "upsert after index",
            "index finds",
            "rows a second",
        ),
        *("rows with a filter", "two writers"),
        *("health", "identity", "service version", "damaged image", "model name", "base64", "dimension", "norm"),
        *("words read", "long text", "padding", "same vector again", "full batch", "image size"),
    ]
)
"""What is compared with what mcp-cxr expects."""


def _one_of(codes: frozenset[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in codes:
            raise ValueError("not a code of this list")
        return text

    return check


_WORDS = frozenset(PLAN_WORDS.values())
CallName: TypeAlias = Annotated[str, AfterValidator(_one_of(CALLS)), WithJsonSchema({"enum": sorted(CALLS)})]
PlanWord: TypeAlias = Annotated[str, AfterValidator(_one_of(_WORDS)), WithJsonSchema({"enum": sorted(_WORDS)})]
ExpectationName: TypeAlias = Annotated[
    str, AfterValidator(_one_of(EXPECTATIONS)), WithJsonSchema({"enum": sorted(EXPECTATIONS)})
]
