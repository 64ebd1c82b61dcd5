"""A question as people and models ask it, checked, and what it means."""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from mcp_cxr.errors import QueryError
from mcp_cxr.records import LABELS, VIEW_GROUPS, VIEWS, Filter, ImageId, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Group = Literal["study", "subject", "none"]
Mode = Literal["auto", "vector", "words"]

MAX_LIMIT = 100
_IMAGE_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg")
EXAMPLE = 'search_medical_images(query="left pleural effusion", view=["PA"])'


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, checked; made by `parse_query`."""

    text: str | None
    like: tuple[ImageId, ...]
    like_files: tuple[str, ...]
    """Examples that are files, as they were named."""
    unlike: tuple[ImageId, ...]
    where: Filter
    exclude_subject_of: ImageId | None
    filters: dict[str, Any]
    """The filters as they are shown back; those not given are left out."""
    group: Group
    mode: Mode
    limit: int
    offset: int


def parse_query(
    query: str | None = None,
    *,
    limit: int = 5,
    offset: int = 0,
    view: Sequence[str] = (),
    subject_id: str | None = None,
    study_id: str | None = None,
    labels: Sequence[str] = (),
    labels_absent: Sequence[str] = (),
    split: str | None = None,
    date_from: str | None = None,
    date_to: str | None = None,
    has_report: bool | None = None,
    like: Sequence[str] = (),
    unlike: Sequence[str] = (),
    exclude_subject_of: str | None = None,
    group: str = "study",
    mode: str = "auto",
) -> Query:
    """Check a question; every argument means what the tool `search_medical_images` says of it.

    Raises:
        QuestionError: It cannot be asked like this; the message says what can.
    """
    study_id, subject_id, split, exclude_subject_of = map(
        _blank_to_none, (study_id, subject_id, split, exclude_subject_of)
    )
    where = Filter(
        study_id=StudyId(study_id) if study_id else None,
        subject_id=SubjectId(subject_id) if subject_id else None,
        labels=_labels(labels),
        labels_absent=_labels(labels_absent),
        split=split,
        date_from=_date("date_from", date_from),
        date_to=_date("date_to", date_to),
        has_report=has_report,
    )
    shown = {
        name: value for name, value in _filters_as_shown(where, _view_names(view), exclude_subject_of).items() if value
    }
    if has_report is not None:
        shown["has_report"] = has_report
    question = Query(
        text=" ".join(query.split()) or None if query else None,
        like=tuple(ImageId(one.strip()) for one in like if not _is_file(one)),
        like_files=tuple(one.strip() for one in like if _is_file(one)),
        unlike=tuple(ImageId(image_id.strip()) for image_id in unlike),
        where=replace(where, view=_views(view)),
        exclude_subject_of=ImageId(exclude_subject_of) if exclude_subject_of else None,
        filters=shown,
        group=_one_of("group", group, get_args(Group)),
        mode=_one_of("mode", mode, get_args(Mode)),
        limit=limit,
        offset=offset,
    )
    _check(question)
    return question


def _is_file(example: str) -> bool:
    """Whether an example is a file's path: no image id holds a separator or ends like a film."""
    return any(mark in example for mark in "/\\") or example.strip().lower().endswith(_IMAGE_SUFFIXES)


def _blank_to_none(text: str | None) -> str | None:
    """Take what is blank as not given."""
    return (text or "").strip() or None


def _check(question: Query) -> None:
    """Refuse what cannot be answered, with an example of what can."""
    if not 1 <= question.limit <= MAX_LIMIT:
        raise QueryError(f"limit must be 1 to {MAX_LIMIT}, not {question.limit}; use offset for the next page.")
    if question.offset < 0:
        raise QueryError(f"offset must be 0 or more, not {question.offset}.")
    _check_parts(question, bool(question.like or question.like_files))
    _check_filters(question.where)


def _check_parts(question: Query, like: bool) -> None:
    """Refuse words, examples and modes that do not go together."""
    asked, unlike, mode = question.text, question.unlike, question.mode
    if not (asked or like or unlike or question.filters):
        raise QueryError(f"Ask with words, an example image or a filter, such as {EXAMPLE}.")
    if unlike and not (asked or like):
        raise QueryError(
            "unlike steers a question: give a query, or name an image in like too, such as"
            ' search_medical_images(query="effusion", unlike=["IMAGE_ID"]).'
        )
    if both := set(question.like) & set(unlike):
        raise QueryError(f"Image {min(both)} is in like and in unlike; leave it out of one of them.")
    if mode == "words" and not asked:
        example = 'search_medical_images(query="effusion", mode="words")'
        raise QueryError(f"mode='words' needs a query, such as {example}.")
    if mode == "words" and (like or unlike):
        raise QueryError("mode='words' compares no pixels: leave out like and unlike, or use mode='auto'.")
    if mode == "vector" and not (asked or like):
        example = 'search_medical_images(like=["IMAGE_ID"], mode="vector")'
        raise QueryError(f"mode='vector' needs a query or an example in like, such as {example}.")


def _check_filters(where: Filter) -> None:
    """Refuse filters that nothing can pass."""
    if where.date_from and where.date_to and where.date_from > where.date_to:
        raise QueryError(f"date_from {where.date_from} is after date_to {where.date_to}; change them over.")
    if both := set(where.labels) & set(where.labels_absent):
        raise QueryError(f"{min(both)} is in labels and in labels_absent; leave it out of one of them.")


def _filters_as_shown(where: Filter, views: list[str], exclude_subject_of: str | None) -> dict[str, Any]:
    return {
        "view": views,
        "subject_id": where.subject_id,
        "study_id": where.study_id,
        "labels": list(where.labels),
        "labels_absent": list(where.labels_absent),
        "split": where.split,
        "date_from": where.date_from,
        "date_to": where.date_to,
        "exclude_subject_of": exclude_subject_of,
    }


def _view_names(names: Sequence[str]) -> list[str]:
    known = list(dict.fromkeys((*VIEWS, *VIEW_GROUPS)))
    return [_closest("view", name, known) for name in names]


def _views(names: Sequence[str]) -> tuple[str, ...]:
    expanded = (view for name in _view_names(names) for view in VIEW_GROUPS.get(name, (name,)))
    return tuple(dict.fromkeys(expanded))


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_closest("label", name, LABELS) for name in names))


def _closest(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the known name, ignoring case; the error names the nearest one."""
    by_folded = {one.casefold(): one for one in known}
    folded = name.strip().casefold()
    if folded in by_folded:
        return by_folded[folded]
    near = difflib.get_close_matches(folded, by_folded, n=1)
    hint = f" Did you mean {by_folded[near[0]]}?" if near else ""
    raise QueryError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(by_folded.values())}.")


def _one_of(name: str, value: str, known: tuple[Any, ...]) -> Any:  # noqa: ANN401 - the caller's Literal
    if value not in known:
        raise QueryError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
    return value


def _date(name: str, text: str | None) -> str | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise QueryError(f"{name} must be a date such as 2180-05-06, not {text!r}.") from None
