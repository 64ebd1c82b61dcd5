"""Random selections: at most some images of each patient, splits by patient, and equal numbers of a label's values.

Everything is drawn by the hash of the seed and an id, so that it depends on neither an order nor a generator of random
numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, get_args

from mcp_cxr.errors import QueryError
from mcp_cxr.records import SPLITS, CohortMatch
from mcp_cxr.search import known_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mcp_cxr.records import CohortRequest, RankedImage
    from mcp_cxr.research.cohorts._manifest import CohortRow

_NAME = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_SHARES = re.compile(r"\d{1,2}(/\d{1,2}){1,2}", re.ASCII)
_LARGEST_SEED = 2**53
_EXAMPLE = "split must be official, none, or percentages from 1 to 99 that add up to 100, such as 70/10/20 or 80/20"


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How a cohort is split."""

    kind: Literal["official", "shares", "none"]
    shares: tuple[int, ...] = ()
    """Percent of train, validate and test, or of train and test."""

    @property
    def names(self) -> tuple[str, ...]:
        """The splits of the shares."""
        return SPLITS if len(self.shares) == len(SPLITS) else ("train", "test")

    @property
    def text(self) -> str:
        """As it is written in a request."""
        return "/".join(map(str, self.shares)) if self.kind == "shares" else self.kind


def check_name(name: str) -> str:
    """Return the name of a cohort.

    Raises:
        QueryError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"A cohort's name has 1 to 40 characters of a-z, 0-9 and hyphens, such as effusion-pa, not {name[:60]!r}."
            " Give the name, then the words."
        )
    return name


def check_request(request: CohortRequest) -> tuple[CohortRequest, SplitPlan | None]:
    """Return the request with its label as CheXpert spells it, and how to split; None: official if there is one.

    Raises:
        QueryError: An argument is wrong; the message shows what is right.
    """
    check_name(request.name)
    if request.matched not in get_args(CohortMatch):
        raise QueryError(f"matched must be full or part, not {request.matched!r}.")
    if request.per_subject is not None and request.per_subject < 1:
        raise QueryError(f"per_subject must be 1 or more, not {request.per_subject}.")
    if abs(request.seed) > _LARGEST_SEED:
        raise QueryError(f"seed must be between -{_LARGEST_SEED} and {_LARGEST_SEED}.")
    balance = known_labels([request.balance])[0] if request.balance and request.balance.strip() else None
    return replace(request, balance=balance), _split_plan(request.split)


def _split_plan(text: str | None) -> SplitPlan | None:
    given = re.sub(r"\s*[/:,]\s*", "/", (text or "").strip().lower())
    if not given:
        return None
    if given == "official":
        return SplitPlan("official")
    if given == "none":
        return SplitPlan("none")
    shares = tuple(int(part) for part in given.split("/")) if _SHARES.fullmatch(given) else (0,)
    if not all(shares):
        raise QueryError(f"{_EXAMPLE}, not {given[:40]!r}.")
    if sum(shares) != 100:  # noqa: PLR2004 - percent
        raise QueryError(f"{_EXAMPLE}; {given} adds up to {sum(shares)}.")
    return SplitPlan("shares", shares)


def draw_order(ids: Iterable[str], seed: int) -> list[str]:
    """Return the ids in the order in which the seed draws them."""
    return sorted(set(ids), key=lambda one: (_draw(one, seed), one))


def at_most_per_subject(images: Iterable[RankedImage], most: int, seed: int) -> list[RankedImage]:
    """Return at most this many images of each patient."""
    by_subject: dict[str, list[RankedImage]] = defaultdict(list)
    for image in images:
        by_subject[image.subject_id].append(image)
    return [
        image
        for group in by_subject.values()
        for image in sorted(group, key=lambda one: (_draw(one.image_id, seed), one.image_id))[:most]
    ]


def split_by_shares(groups: Iterable[str], plan: SplitPlan, seed: int) -> dict[str, str]:
    """Return the split of each group: a patient, or a study if patients are not known.

    The numbers of groups differ from the shares by less than one.
    """
    drawn = draw_order(groups, seed)
    ends, total = list[int](), 0
    for share in plan.shares:
        total += share
        ends.append(round(len(drawn) * total / 100))
    found: dict[str, str] = {}
    for name, start, end in zip(plan.names, [0, *ends], ends, strict=False):
        found |= dict.fromkeys(drawn[start:end], name)
    return found


def balanced(rows: Sequence[CohortRow], label: str, seed: int) -> list[CohortRow]:
    """Return the rows of as many studies with the label at 1 as at 0, in each split; all others are left out."""
    studies: dict[tuple[str | None, int], list[str]] = defaultdict(list)
    for study, (split, value) in {row.study_id: (row.split, row.labels.get(label, -1)) for row in rows}.items():
        studies[split, value].append(study)
    kept: set[str] = set()
    for split in {split for split, _ in studies}:
        both = [draw_order(studies[split, value], seed) for value in (1, 0)]
        fewest = min(map(len, both))
        kept.update(*(drawn[:fewest] for drawn in both))
    return [row for row in rows if row.study_id in kept]


def subjects_in_several_splits(rows: Collection[CohortRow]) -> list[str]:
    """Return the patients of whom images are in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.split:
            splits[row.subject_id].add(row.split)
    return sorted(subject for subject, found in splits.items() if len(found) > 1)


def _draw(one: Any, seed: int) -> bytes:  # noqa: ANN401 - any id
    return blake2b(f"{seed}\0{one}".encode(), digest_size=16).digest()
