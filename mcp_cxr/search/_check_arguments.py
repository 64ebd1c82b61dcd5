"""Checks the arguments of a search and turns them into a `Query`."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from mcp_cxr.errors import QueryError
from mcp_cxr.pasted_text import IMAGE_SUFFIXES, pasted_image_id
from mcp_cxr.records import (
    FILTERS,
    LABELS,
    SPLITS,
    VIEW_GROUPS,
    VIEW_POSITIONS,
    Filter,
    GroupBy,
    ImageId,
    Mode,
    SearchArguments,
    StudyId,
    SubjectId,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_LIMIT = 100
MAX_QUERY = 2000  # characters
_EXAMPLE = 'search_medical_images(query="left pleural effusion", view=["PA"])'


@dataclass(frozen=True, slots=True)
class Query:
    """The checked arguments of a search; made by `check_arguments`."""

    text: str | None
    like: tuple[ImageId, ...]
    like_files: tuple[str, ...]
    """Examples that are files, as the caller wrote them."""
    unlike: tuple[ImageId, ...]
    where: Filter
    exclude_subject_of: ImageId | None
    filters: dict[str, Any]
    """The filters as shown with the result; those not given are left out."""
    group: GroupBy
    mode: Mode
    limit: int
    offset: int
    value_of: Mapping[ImageId, float] | None = None
    """Only these images; without words and examples, those of the highest value come first."""


def check_arguments(
    arguments: SearchArguments,
    *,
    known_splits_only: bool = False,
    value_of: Mapping[ImageId, float] | None = None,
) -> Query:
    """Return the query that the arguments describe.

    Args:
        arguments: As given.
        known_splits_only: Whether a split that no public data set has is refused, be it in the archive or not.
        value_of: As `Query` has it; the arguments may then be empty.

    Raises:
        QueryError: An argument is invalid, or they do not go together; the message shows what is valid.
    """
    if arguments.is_empty and value_of is None:
        raise QueryError(f"Give words, an example image or a filter, such as {_EXAMPLE}.")
    checked = _checked(arguments)
    if known_splits_only and checked.split:
        checked = replace(checked, split=_known_name("split", checked.split, SPLITS))
    query = Query(
        text=" ".join(checked.query.split()) if checked.query else None,
        like=tuple(ImageId(pasted_image_id(one)) for one in checked.like if not _is_file(one)),
        like_files=tuple(one.strip() for one in checked.like if _is_file(one)),
        unlike=tuple(ImageId(one.strip()) for one in checked.unlike),
        where=_where(checked),
        exclude_subject_of=ImageId(checked.exclude_subject_of) if checked.exclude_subject_of else None,
        filters=_shown_filters(checked),
        group=checked.group,
        mode=checked.mode,
        limit=checked.limit,
        offset=checked.offset,
        value_of=value_of,
    )
    _check_combination(query)
    return query


def _checked(arguments: SearchArguments) -> SearchArguments:
    """Return the arguments with known names as the archive spells them, ISO dates, and blank texts as None.

    Raises:
        QueryError: A value is unknown, malformed or out of range.
    """
    if arguments.query and len(arguments.query) > MAX_QUERY:
        raise QueryError(f"query has {len(arguments.query)} characters; at most {MAX_QUERY} are read. Shorten it.")
    if not 1 <= arguments.limit <= MAX_LIMIT:
        advice = "; use offset for the next page" if arguments.limit > MAX_LIMIT else ""
        raise QueryError(f"limit must be 1 to {MAX_LIMIT}, not {arguments.limit}{advice}.")
    if arguments.offset < 0:
        raise QueryError(f"offset must be 0 or more, not {arguments.offset}.")
    for name, value, known in (("group", arguments.group, GroupBy), ("mode", arguments.mode, Mode)):
        if value not in get_args(known):
            raise QueryError(f"{name} must be one of {', '.join(get_args(known))}, not {value!r}.")
    return replace(
        arguments,
        query=_blank_to_none(arguments.query),
        view=[
            _known_name("view", name, (*VIEW_POSITIONS, *VIEW_GROUPS))
            for names in arguments.view
            for name in re.split(r"\s*[,;/|]\s*", names)
        ],
        subject_id=_blank_to_none(arguments.subject_id),
        study_id=_blank_to_none(arguments.study_id),
        labels=known_labels(arguments.labels),
        labels_absent=known_labels(arguments.labels_absent),
        split=_blank_to_none(arguments.split),
        date_from=_date("date_from", arguments.date_from),
        date_to=_date("date_to", arguments.date_to),
        sex=_sex(arguments.sex),
        exclude_subject_of=_blank_to_none(arguments.exclude_subject_of),
    )


def _sex(value: str | None) -> str | None:
    given = _blank_to_none(value)
    found = {"f": "F", "female": "F", "m": "M", "male": "M"}.get(given.lower()) if given else None
    if given and found is None:
        raise QueryError(f"sex must be F or M, not {given[:40]!r}.")
    return found


def _where(checked: SearchArguments) -> Filter:
    return Filter(
        view=positions_of(checked.view),
        study_id=StudyId(checked.study_id) if checked.study_id else None,
        subject_id=SubjectId(checked.subject_id) if checked.subject_id else None,
        labels=tuple(checked.labels),
        labels_absent=tuple(checked.labels_absent),
        split=checked.split,
        date_from=checked.date_from,
        date_to=checked.date_to,
        has_report=checked.has_report,
        sex=checked.sex,
        age_from=checked.age_from,
        age_to=checked.age_to,
    )


def positions_of(views: Iterable[str]) -> tuple[str, ...]:
    """Return view positions, each once; a group of views becomes its positions."""
    return tuple(dict.fromkeys(position for view in views for position in VIEW_GROUPS.get(view, (view,))))


def _shown_filters(checked: SearchArguments) -> dict[str, Any]:
    """Return the filters that are given, by name."""
    given = {name: getattr(checked, name) for name in FILTERS}
    return {name: value for name, value in given.items() if value or value is False or value == 0}


def _check_combination(query: Query) -> None:
    """Refuse words, examples, modes and filters that do not go together."""
    text, unlike, mode, where = query.text, query.unlike, query.mode, query.where
    like = bool(query.like or query.like_files)
    if unlike and not (text or like):
        raise QueryError(
            "unlike needs a query or an example in like, such as"
            ' search_medical_images(query="effusion", unlike=["IMAGE_ID"]).'
        )
    if both := set(query.like) & set(unlike):
        raise QueryError(f"Image {min(both)} is in like and in unlike; leave it out of one of them.")
    if mode == "words" and not text:
        raise QueryError('mode=\'words\' needs a query, such as search_medical_images(query="effusion", mode="words").')
    if mode == "words" and (like or unlike):
        raise QueryError("mode='words' compares no pixels: leave out like and unlike, or use mode='auto'.")
    if mode == "vector" and not (text or like):
        raise QueryError(
            "mode='vector' needs a query or an example in like, such as"
            ' search_medical_images(like=["IMAGE_ID"], mode="vector").'
        )
    if where.date_from and where.date_to and where.date_from > where.date_to:
        raise QueryError(f"date_from {where.date_from} is after date_to {where.date_to}; swap them.")
    if where.age_from is not None and where.age_to is not None and where.age_from > where.age_to:
        raise QueryError(f"age_from {where.age_from} is more than age_to {where.age_to}; swap them.")
    if both := set(where.labels) & set(where.labels_absent):
        raise QueryError(f"{min(both)} is in labels and in labels_absent; leave it out of one of them.")


def _is_file(example: str) -> bool:
    """Whether an example is a file's path: no image id holds a separator or ends like an image file."""
    return any(mark in example for mark in "/\\") or example.strip().lower().endswith(IMAGE_SUFFIXES)


def _blank_to_none(text: str | None) -> str | None:
    return (text or "").strip() or None


def known_labels(names: Sequence[str]) -> list[str]:
    """Return labels as CheXpert spells them, each once.

    Raises:
        QueryError: One is unknown; the message suggests the nearest one.
    """
    return list(dict.fromkeys(_known_name("label", name, LABELS) for name in names))


def _known_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the known name, ignoring case; the error suggests the nearest one."""
    by_folded = {one.casefold(): one for one in known}
    folded = name.strip().casefold()
    if folded in by_folded:
        return by_folded[folded]
    near = difflib.get_close_matches(folded, by_folded, n=1)
    hint = f" Did you mean {by_folded[near[0]]}?" if near else ""
    raise QueryError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(by_folded.values())}.")


def _date(name: str, text: str | None) -> str | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise QueryError(f"{name} must be a date such as 2026-11-01, not {text!r}.") from None
