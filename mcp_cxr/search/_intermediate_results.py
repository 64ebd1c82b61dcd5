"""The intermediate results of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from mcp_cxr.language.query import QueryMeaning
    from mcp_cxr.records import Filter, ResultFacts
    from mcp_cxr.search._check_arguments import Query
    from mcp_cxr.search._plan import SearchPlan
    from mcp_cxr.search._query_embedder import EmbeddedQuery, RankingVectors
    from mcp_cxr.search._rank import RankedGroup
    from mcp_cxr.search._understand import UnderstoodQuery


@dataclass(frozen=True, slots=True)
class IntermediateResults:
    """The intermediate results of a search, from which the page of results is made."""

    understood: UnderstoodQuery
    where: Filter
    """The filters: ids as the archive spells them, and without the examples themselves."""
    embedded: EmbeddedQuery
    vectors: RankingVectors
    plan: SearchPlan
    ranked: Sequence[RankedGroup]
    """From the first hit of all to the last of the page."""
    facts: ResultFacts
    preferred: QueryMeaning
    """What ranks and does not filter, if the query has nothing else to match."""
    findings_only: bool
    """Whether nothing of the result may depend on the words of reports."""

    @property
    def query(self) -> Query:
        """The query with the filters and the limit that its words name."""
        return self.understood.query

    @property
    def mode(self) -> Literal["semantic", "keyword", "hybrid", "similar", "filter"]:
        """How the result was found."""
        vectors = self.embedded.vectors
        by_text = vectors.text is not None or bool(vectors.ruled_out)
        by_words = bool(self.plan.terms and self.understood.meaning)
        if by_text + vectors.has_examples + by_words > 1:
            return "hybrid"
        if by_text:
            return "semantic"
        if vectors.has_examples:
            return "similar"
        return "keyword" if by_words or self.understood.meaning else "filter"
