"""A question on its way to its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.search._query_vector import VectorParts

if TYPE_CHECKING:
    from typing import Any, Literal

    from mcp_cxr.language import QueryMeaning
    from mcp_cxr.records import Filter, Vector
    from mcp_cxr.search._parse_query import Query


@dataclass(slots=True)
class SearchState:
    """What a question has become so far, and what there is to say of it."""

    question: Query
    where: Filter
    meaning: QueryMeaning | None = None
    """Of its words."""
    parts: VectorParts = field(default_factory=VectorParts)
    mean_text: Vector | None = None
    """The mean of texts about chest films; set where a text is mixed with anything else."""
    query_vector: Vector | None = None
    """What scores are the cosine with: `parts` as one vector."""
    extra_vectors: list[Vector] = field(default_factory=list["Vector"])
    """What ranks beside it: the words without the examples, and what they ask for without what they deny."""
    words: tuple[str, ...] = ()
    """The terms to match."""
    fallback_reason: str | None = None
    cache_hit: bool = False
    warnings: list[str] = field(default_factory=list[str])

    @property
    def mode(self) -> Literal["semantic", "keyword", "hybrid", "similar", "filter"]:
        """How the answer was found."""
        by_text = self.parts.text is not None or bool(self.parts.avoided)
        by_example = bool(self.parts.like or self.parts.unlike)
        if by_text + by_example + bool(self.words) > 1:
            return "hybrid"
        if by_text:
            return "semantic"
        if by_example:
            return "similar"
        return "keyword" if self.words else "filter"

    @property
    def filters(self) -> dict[str, Any]:
        """The filters in force: ids as the archive spells them, and under `without` what the words rule out."""
        read = {
            "study_id": self.where.study_id,
            "subject_id": self.where.subject_id,
            "without": list(self.meaning.excluded_findings) if self.meaning else [],
        }
        return self.question.filters | {name: value for name, value in read.items() if value}
