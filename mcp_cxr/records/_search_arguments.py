"""The arguments of a search."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the tool's schema is made from these annotations
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal

GroupBy = Literal["study", "subject", "none"]
Mode = Literal["auto", "vector", "words"]


class DefaultLimit(int):
    """The number of results if none was given: a number in the words ("show 20 ...") replaces it."""


def _about(description: str, *, is_filter: bool = False, **limits: int) -> dict[str, Any]:
    """Return the metadata of an argument.

    Args:
        description: What a model reads about it.
        is_filter: Whether it narrows the images that match.
        limits: Bounds in pydantic's words (`ge`, `le`, `max_length`), enforced by the tool.
    """
    return {"schema": {"description": description, **limits}, "is_filter": is_filter}


@dataclass(frozen=True, slots=True)
class SearchArguments:
    """Every argument of a search: of the tool `search_medical_images`, `mcp-cxr search` and `Archive.search`.

    The tool's schema, the access log and the filters shown with a result are derived from these fields. A new filter
    needs a field here and in `Filter`, a line in `search.check_arguments`, its SQL in each store, and its words on the
    command line, the chat page and the viewer; `tests/unit/search/test_search_arguments.py` names what is missing.
    """

    query: str | None = field(
        default=None,
        metadata=_about(
            "What to look for, in words: findings, devices, a view; 'without effusion' rules it out.", max_length=2000
        ),
    )
    _: KW_ONLY
    limit: int = field(default=DefaultLimit(5), metadata=_about("Results on this page.", ge=1, le=100))
    offset: int = field(default=0, metadata=_about("Results to skip: next_offset of the previous page.", ge=0))
    view: Sequence[str] = field(
        default=(),
        metadata=_about("Any of PA, AP, FRONTAL, LATERAL, LL, RL, OTHER, UNKNOWN.", is_filter=True, max_length=10),
    )
    subject_id: str | None = field(default=None, metadata=_about("One patient, such as p10000032.", is_filter=True))
    study_id: str | None = field(default=None, metadata=_about("One study, such as s50414267.", is_filter=True))
    labels: Sequence[str] = field(
        default=(),
        metadata=_about("CheXpert labels that are present, such as Pleural Effusion.", is_filter=True, max_length=14),
    )
    labels_absent: Sequence[str] = field(
        default=(),
        metadata=_about("Labels that are absent, or not mentioned, in a labeled study.", is_filter=True, max_length=14),
    )
    split: str | None = field(default=None, metadata=_about("Data split: train, validate or test.", is_filter=True))
    date_from: str | None = field(default=None, metadata=_about("Earliest study date, YYYY-MM-DD.", is_filter=True))
    date_to: str | None = field(default=None, metadata=_about("Latest study date, YYYY-MM-DD.", is_filter=True))
    sex: str | None = field(
        default=None, metadata=_about("F or M; leaves out studies without a recorded sex.", is_filter=True)
    )
    age_from: int | None = field(
        default=None,
        metadata=_about("Minimum age in years; leaves out studies without an age.", is_filter=True, ge=0, le=150),
    )
    age_to: int | None = field(
        default=None,
        metadata=_about("Maximum age in years; leaves out studies without an age.", is_filter=True, ge=0, le=150),
    )
    has_report: bool | None = field(
        default=None, metadata=_about("true: only studies with a report; false: only those without.", is_filter=True)
    )
    like: Sequence[str] = field(
        default=(),
        metadata=_about("Image ids, or files below the roots: find images that look like these.", max_length=20),
    )
    unlike: Sequence[str] = field(
        default=(),
        metadata=_about("Ids of images: images that look like these rank lower; needs query or like.", max_length=20),
    )
    exclude_subject_of: str | None = field(
        default=None, metadata=_about("Exclude all images of this image's patient (image id).", is_filter=True)
    )
    group: GroupBy = field(
        default="study", metadata=_about("study or subject: one result per study or patient; none: every image.")
    )
    mode: Mode = field(
        default="auto",
        metadata=_about(
            "auto (recommended): vectors and words. vector: only vectors. words: only words in reports, labels and "
            "tags."
        ),
    )

    @property
    def is_empty(self) -> bool:
        """Whether no words, example or filter are given; a blank text counts as none."""
        values = [getattr(self, name) for name in ("query", "like", "unlike", *FILTERS)]
        return not any(value.strip() if isinstance(value, str) else _is_given(value) for value in values)


def _is_given(value: object) -> bool:
    """Whether an argument that is no text is given: 0 and False are, an empty list is not."""
    return bool(value) or isinstance(value, int)


FILTERS = tuple(field.name for field in fields(SearchArguments) if field.metadata["is_filter"])
"""The arguments that narrow the images that match."""
