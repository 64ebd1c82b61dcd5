"""The state of one search while it is being answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.search._query_vector import QueryVectors

if TYPE_CHECKING:
    from typing import Any, Literal

    from mcp_cxr.language import QueryMeaning
    from mcp_cxr.records import Filter, Vector
    from mcp_cxr.search._arguments import Query


@dataclass(slots=True)
class SearchState:
    """A query, what has been derived from it so far, and the warnings to show with its result."""

    query: Query
    where: Filter
    meaning: QueryMeaning | None = None
    """Of the query's text."""
    vectors: QueryVectors = field(default_factory=QueryVectors)
    mean_text: Vector | None = None
    """The mean vector of texts about chest X-rays; set if a text is combined with anything else."""
    query_vector: Vector | None = None
    """`vectors` combined into one; scores are the cosine with it."""
    extra_vectors: list[Vector] = field(default_factory=list["Vector"])
    """Ranked by as well: the words without the examples, and what they ask for without what they deny."""
    terms: tuple[str, ...] = ()
    """The terms to match in reports, labels and tags."""
    fallback_reason: str | None = None
    cache_hit: bool = False
    warnings: list[str] = field(default_factory=list[str])

    @property
    def mode(self) -> Literal["semantic", "keyword", "hybrid", "similar", "filter"]:
        """How the result was found."""
        by_text = self.vectors.text is not None or bool(self.vectors.denied)
        by_example = self.vectors.has_examples
        if by_text + by_example + bool(self.terms) > 1:
            return "hybrid"
        if by_text:
            return "semantic"
        if by_example:
            return "similar"
        return "keyword" if self.terms else "filter"

    @property
    def filters(self) -> dict[str, Any]:
        """The filters in force: ids as the archive spells them, and under `without` what the words rule out."""
        resolved = {
            "study_id": self.where.study_id,
            "subject_id": self.where.subject_id,
            "without": list(self.meaning.excluded_findings) if self.meaning else [],
        }
        return self.query.filters | {name: value for name, value in resolved.items() if value}
