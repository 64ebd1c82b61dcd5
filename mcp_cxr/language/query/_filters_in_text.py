"""Reads the filters named in a query's words: views, ids, number of results, study dates, sex and age."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from mcp_cxr.language.query._dates_in_text import taken_dates
from mcp_cxr.language.query._limits_in_text import taken_limit
from mcp_cxr.language.query._patients_in_text import taken_patients
from mcp_cxr.language.query._shared_patterns import DENIES_FILTER

_IMAGE_WORDS = (
    r"(?:views?|films?|images?|radiographs?|x-?\s?rays?|cxrs?|projections?|chest|stud(?:y|ies)|exams?|examinations?"
    r"|pictures?)"
)
"""Nouns behind a view: "PA films"."""
# Before these words PA, AP and lateral are anatomy or technique: the pulmonary artery, a lateral rib.
_NO_VIEW_BEFORE = (
    r"(?:catheters?|arter(?:y|ies|ial)|lines?|pressures?|ribs?|walls?|angles?|hypertension|diameter|leads?"
    r"|aspects?|segments?|lungs?|lobes?|portions?|bases?|window|band|branch(?:es)?|sling|chest wall"
    r"|displacement|margin|border|thorax|hemithorax|costophrenic|pleural?|third|half|side|end|clavicle|sulcus"
    r"|view box|decubitus)"
)
_POSITION_BY_WORD: Final = {
    "posteroanterior": "PA",
    "anteroposterior": "AP",
    "pa": "PA",
    "ap": "AP",
    "lateral": "LATERAL",
    "laterals": "LATERAL",
    "lat": "LATERAL",
    "frontal": "FRONTAL",
    "frontals": "FRONTAL",
}
"""The view position that each word names."""
_FRONTAL = ("PA", "AP")
VIEW_WORDS = frozenset(_POSITION_BY_WORD)
_VIEW = rf"(?:{'|'.join(_POSITION_BY_WORD)})"
_VIEWS = re.compile(
    rf"\b(?P<named>(?:view|projection|position)s?\s*[:=]\s*)?"
    rf"(?P<first>{_VIEW})(?:\s*(?:and|or|nor|&|/|,)\s*(?P<second>{_VIEW}))?\b"
    rf"(?!\s+{_NO_VIEW_BEFORE}\b)(?P<noun>\s+(?:{_IMAGE_WORDS}|only)\b)*",
    re.IGNORECASE,
)
"""One or two views: "view: PA", "PA and lateral films"."""
_CHEST_BEFORE = re.compile(r"\b(?:chest|cxr|x-?ray|film|image|view|radiograph)[\s,]+(?:in\s+|as\s+)?$", re.IGNORECASE)
"""Before a view in the older order of words: "chest PA"."""
_DENIED_BEFORE = re.compile(
    rf"(?:\b(?:and|but|or)\s+)?(?:\b{DENIES_FILTER}(?:\s+|-)"
    r"(?:(?:the|any|an?|all|those|ones|in|on|from|as|with|taken|images|films|studies|study|patients?|subjects?|views?|is|are"
    r"|was|were|due to|because of)\s+)*"
    r"|(?<!\S)-)$",
    re.IGNORECASE,
)
"""Before a view that is denied: "no images in"."""
_DENIED_BEHIND = re.compile(r"\s+(?:views?\s+|films?\s+)?(?:excluded|not wanted|left out)\b", re.IGNORECASE)
"""Behind a view that is denied: " films excluded"."""
_BOTH_VIEWS = re.compile(
    rf"\bboth\s+(?:(?:the|an?|of)\s+)*(?P<views>{_VIEW}(?:\s+{_IMAGE_WORDS})?\s*(?:and|&|\+|plus)\s*(?:an?\s+)?{_VIEW}"
    rf"(?:\s+{_IMAGE_WORDS})?)\b",
    re.IGNORECASE,
)
"""Two views that one study must have, which no filter holds: "both PA and lateral films"."""
_UNKNOWN_VIEW = re.compile(
    r"(?<!no )(?<!not )(?<!without )\b(?:unknown|unspecified|unrecorded) (?:views?|projections?)(?: positions?)?\b"
    r"|\b(?:view|projection)(?: position)? (?:(?:is|was) )?(?:unknown|unspecified|unrecorded|not (?:known|recorded))\b",
    re.IGNORECASE,
)
"""A view that no header states: "view not recorded"."""
_OR_BETWEEN = re.compile(r"[a-z].*\bor\b|\bor\b\W+(?!(?:an?|the|in|on|as|also)\b)[a-z]", re.IGNORECASE)
"""Between two views, "or" with other words: each view is that of one alternative."""
_ALL_VIEWS = ("PA", "AP", "LATERAL", "OTHER")
_TECHNIQUE = (
    r"(?:portables?|bedside|mobile|supine|upright|erect|semi-?\s?(?:erect|upright|supine)|decubitus|sitting|recumbent"
    r"|lordotic|(?:ex|in)spirat(?:ory|ion))"
)
"""Positions of the patient and kinds of apparatus that no filter knows: "portable"."""
_DENIED_TECHNIQUE = re.compile(
    r"(?:\b(?:and|but)\s+)?\b(?P<phrase>(?:not|no|non|without|w/o|exclud(?:e|es|ing)|omit(?:ting)?|skip(?:ping)?"
    r"|except(?: for)?|other than|rather than|instead of)(?:\s+|-)"
    r"(?:(?:the|any|an?|those|in|on|from|as|with|taken|images|films|studies|is|are|was|were)\s+)*"
    rf"{_TECHNIQUE}(?:\s*(?:,|/|,?\s(?:and|or|nor))\s*{_TECHNIQUE})*)\b(?:\s+{_IMAGE_WORDS}\b|\s+ones\b)*",
    re.IGNORECASE,
)
"""A technique that is denied: no filter knows it, and few reports state it: "not portable"."""

_HEX_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
"""The name of an image of MIMIC-CXR."""
_UID = r"\d+(?:\.\d+){5,}"
"""A UID of DICOM."""
_QUOTES = re.compile(r"[\"\u201c\u201d\u201e]")
_IS_EXCLUDED = (
    r"(?:(?:is|are|was|were|being|have|been|should|must|shall|will|may|can|need|do|to|be|an?)\s+){0,4}"
    r"(?:excluded|left out|omitted|skipped|dropped|removed|ignored|rejected|ineligible|unwanted|of no interest"
    r"|exclusion(?: criteri\w+)?"
    r"|not (?:be )?(?:wanted|eligible|included|allowed|needed|of interest|count|qualify|apply))"
)
_EXCLUDED_LIST = re.compile(
    r"\b(?:exclu(?:ded?|ding|sions?)(?: criteria| criterion)?|exceptions?|omit(?:ted)?|left out|ineligible"
    r"|not (?:included|wanted|eligible|to (?:be )?included?))"
    r"\s*(?:[:=]|(?<=excluded)\s+are\b)\s*(?P<headed>(?:(?!,\s*[\w ]{3,30}[:=])[^.;:]){0,300})(?=[.;,]|$)"
    r"|(?P<start>^|[,;.:(]|\b(?:but|with|where|while|and)\s)\s*"
    rf"(?P<before>(?:(?!\b(?:but|with|where|while)\b)[^,;.:()]){{2,80}}?)\s+{_IS_EXCLUDED}"
    r"(?=\s*(?:$|[,;.:)]|(?:and|but)\b))"
    rf"|\b{DENIES_FILTER}\s+(?P<joined>[^,;.:()]{{2,40}}\b(?:and|or|nor)\s[^,;.:()]{{2,40}}?)"
    r"(?=\s*(?:$|[,;.:)]|(?:with|but)\b))",
    re.IGNORECASE,
)
"""What is left out: "exclude: women, AP, edema", "women and children are left out", "no women or children"."""
_EXCLUDED = re.compile(
    rf"\b{DENIES_FILTER}\s+(?P<what>[^,;.:()]{{2,60}}?)(?=\s*(?:$|[,;.:)]|(?:but|with)\b))", re.IGNORECASE
)
"""What is left out: "excluding women under 40"."""
_KIND_OF_PATIENTS = re.compile(
    r"(?:(?:in|among|for|the|any|all|those)\s+)*(?:"
    r"(?:(?:[a-z-]{2,}(?:ant|ese|ic|ing|ed|al|an|ive|ous|ory|less)|tall|thin|short|black|white|frail|sick|young(?:er)?"
    r"|middle[\s-]aged)\s+){1,2}(?:wom[ae]n|m[ae]n|(?:fe)?males?|girls?|boys?|lad(?:y|ies)|children|adults)"
    r"|(?:pregnant|lactating|young(?:er)?|frail|sick|tall|thin|black|white)\s+(?:patients?|people|persons?|subjects?)"
    r"|(?:wom[ae]n|m[ae]n|(?:fe)?males?|girls?|boys?|lad(?:y|ies)|children|adults)\s+(?:who|that)\s[^,;.:()]+)",
    re.IGNORECASE,
)
"""Some of the patients of one sex, whom no filter can leave out alone: "pregnant women", "men who smoke"."""
_HAVE = r"(?:with|having|who have|showing)"
_EACH_SEX = re.compile(
    rf"\b(?P<sex>wom[ae]n|m[ae]n|(?:fe)?males?)\s+(?P<what>{_HAVE}\s[^,;.:()]+?),?\s+(?:and|or|but|vs\.?|versus)\s+"
    rf"(?P<other>wom[ae]n|m[ae]n|(?:fe)?males?)\s+(?P<other_what>{_HAVE}\s[^,;.:()]+)",
    re.IGNORECASE,
)
"""A group of patients of each sex, which no filter can hold: "men with edema and women with effusion"."""
_SAY_NO_MORE = frozenset(
    "the any all an a those that who are is aged age of in from patients patient subjects people persons individuals"
    " sex gender anyone everyone view views film films image images study studies case cases radiographs exams x-rays"
    " taken".split()
)
"""Words that say no more beside a filter: "all patients"."""
_FOLDER = re.compile(r"\b(?:files/)?p\d\d/(?=p\d{8}\b)|(?<=[0-9a-f]{8})\.(?:dcm|jpe?g|png)\b", re.IGNORECASE)
"""What stands around ids in a path of MIMIC-CXR."""
_ID_OF = r"[\s_]*(?:id|no\.?|number)?\s*[:=#]?\s*"
"""Between "study" or "patient" and its number: " no. "."""
_ID = re.compile(
    rf"(?<![\w.-])(?:(?P<subject>p\d{{8}})|(?P<study>s\d{{8}})|(?P<image>{_HEX_ID}|{_UID}))(?![\w-])"
    rf"|\b(?:(?:study|exam){_ID_OF}(?P<study_number>\d{{8}})|(?:subject|patient){_ID_OF}(?P<subject_number>\d{{8}}))\b(?:['\u2019]s\b)?",
    re.IGNORECASE,
)
"""An id: "p10000764", "s50414267", "study 50414267", a UID."""


@dataclass(frozen=True, slots=True)
class TextFilters:
    """The filters that a query's words name, and the remaining words."""

    text: str
    """The remaining words."""
    view_positions: tuple[str, ...] = ()
    """PA, AP, LATERAL, FRONTAL, UNKNOWN."""
    subject_id: str | None = None
    study_id: str | None = None
    image_id: str | None = None
    limit: int | None = None
    """The number of results that the words name."""
    sex: str | None = None
    """F or M."""
    age_from: int | None = None
    """Years, inclusive."""
    age_to: int | None = None
    """Years, inclusive."""
    date_from: str | None = None
    """ISO date, inclusive."""
    date_to: str | None = None
    """ISO date, inclusive."""
    unread_dates: tuple[str, ...] = ()
    """Dates that are no filter: "not in 2018", "03/04/2018", "last year"."""
    not_applied: tuple[str, ...] = ()
    """Other conditions that no filter knows: "not portable", "middle-aged"."""
    other_ids: tuple[str, ...] = ()
    """Ids that follow another of their kind, which is the filter."""
    counts_patients: bool = False
    """Whether the limit is a number of patients: "5 patients with edema"."""

    @property
    def patient_words(self) -> str:
        """The sex and age that the words name, for people: "women aged 60 or over"; empty if they name none."""
        sex = {"F": "women", "M": "men", None: "patients"}[self.sex]
        low, high = self.age_from, self.age_to
        if low is not None and high is not None:
            return f"{sex} aged {low}" if low == high else f"{sex} aged {low} to {high}"
        if low is not None:
            return f"{sex} aged {low} or over"
        if high is not None:
            return f"{sex} aged {high} or under"
        return sex if self.sex else ""

    @property
    def date_words(self) -> str:
        """The study dates that the words name, for people: "2019-01-01 to 2019-12-31"; empty if they name none."""
        if self.date_from and self.date_to:
            return self.date_from if self.date_from == self.date_to else f"{self.date_from} to {self.date_to}"
        if self.date_from:
            return f"since {self.date_from}"
        return f"until {self.date_to}" if self.date_to else ""


def read_text_filters(query: str) -> TextFilters:
    """Return the filters that the words of a query name, and the words that remain."""
    text = _QUOTES.sub("", query)
    each = _EACH_SEX.search(text)
    if each and (each["sex"][0] in "mM") is not (each["other"][0] in "mM"):
        groups = f"studies {each['what']} versus studies {each['other_what']}"
        found = read_text_filters(f"{text[: each.start()]}{groups}{text[each.end() :]}")
        return replace(found, not_applied=(each[0], *found.not_applied))
    text = _EXCLUDED_LIST.sub(_excluded_one_by_one, text)
    several = [match for match in _EXCLUDED.finditer(text) if _names_several(match["what"])]
    found = _read(_EXCLUDED.sub(lambda match: " " if _names_several(match["what"]) else match[0], text))
    return replace(found, not_applied=(*(match[0] for match in several), *found.not_applied))


def _read(query: str) -> TextFilters:
    """Return the filters of a query in which each one that is denied stands behind what denies it."""
    text, found, denied_ids, other_ids = _ids(_FOLDER.sub(" ", query))
    text, techniques = _taken(_DENIED_TECHNIQUE, text)
    text, limit, numbers, counts_patients = taken_limit(text)
    text, both = _taken(_BOTH_VIEWS, text, r" \g<views> ")
    text, views, view_choices = _views(text)
    text, unknown = _taken(_UNKNOWN_VIEW, text)
    text, date_from, date_to, unread_dates = taken_dates(text)
    text, sex, (age_from, age_to), groups = taken_patients(text)
    return TextFilters(
        " ".join(text.split()),
        (*views, *(["UNKNOWN"] if unknown else [])),
        _lower(found.get("subject")),
        _lower(found.get("study")),
        _lower(found.get("image")),
        limit,
        sex,
        age_from,
        age_to,
        date_from,
        date_to,
        unread_dates,
        (
            *denied_ids,
            *(one["phrase"] for one in techniques),
            *numbers,
            *(one[0] for one in both),
            *view_choices,
            *groups,
        ),
        other_ids,
        counts_patients,
    )


def _excluded_one_by_one(match: re.Match[str]) -> str:
    """Return "exclude women, exclude AP" for "exclude: women, AP"; what names no filter as written."""
    listed = (match["headed"] or match["before"] or match["joined"] or "").strip()
    is_in_rows = bool(match["headed"]) and "," in listed
    parts = re.split("," if is_in_rows else r",|/|\b(?:and|or|nor)\b", listed)
    parts = [part.strip() for part in parts if part.strip()]
    if not is_in_rows and not _are_filters(parts, match["joined"]):
        parts = [] if match["joined"] or not _is_filter(listed) else [listed]
    excluded = ", ".join(f"exclude {one}" for one in parts)
    return f"{match['start'] or ''} {excluded}" if parts else match[0]


def _are_filters(parts: list[str], joined: str | None) -> bool:
    """Whether all parts are filters; of those behind "no", the first is enough before "or", and none is a date."""
    if joined and ((found := _read(joined)).unread_dates or found.date_words):
        return False
    is_choice = bool(joined and re.search(r"\bn?or\b", joined))
    return all(map(_is_filter, parts[:1] if is_choice else parts))


def _names_several(text: str) -> bool:
    """Whether a text names filters of several kinds and nothing else, or a kind of patients: "women under 40"."""
    if _KIND_OF_PATIENTS.fullmatch(text.strip()):
        return True
    found = _read(text) if _is_filter(text) else TextFilters("")
    has_age = found.age_from is not None or found.age_to is not None
    return sum(map(bool, (found.sex, has_age, found.view_positions, found.date_words))) > 1


def _is_filter(text: str) -> bool:
    """Whether a text names filters and nothing else: "patients younger than 18"; or a kind of patients."""
    if _KIND_OF_PATIENTS.fullmatch(text.strip()):
        return True
    found = _read(text)
    return replace(found, text="") != TextFilters("") and _SAY_NO_MORE.issuperset(found.text.lower().split())


def _ids(text: str) -> tuple[str, dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """Return the text without ids, the first of each kind, those denied ("not p10000032"), and those that follow it."""
    found, denied_ids, others = dict[str, str](), list[str](), list[str]()
    kept, end = list[str](), 0
    for match in _ID.finditer(text):
        name, value = next((name.removesuffix("_number"), value) for name, value in match.groupdict().items() if value)
        before = text[end : match.start()]
        denied = _DENIED_BEFORE.search(before)
        kept += [before[: denied.start()] if denied else before, " "]
        end = match.end()
        if denied:
            denied_ids.append(f"{denied[0]}{value}".strip())
        elif _without_letter(found.setdefault(name, value)) != _without_letter(value):
            others.append(value)
    return "".join([*kept, text[end:]]), found, tuple(denied_ids), tuple(others)


def _without_letter(value: str) -> str:
    """Return an id without the letter that MIMIC-CXR writes before its number."""
    return value.lower().lstrip("ps")


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _taken(pattern: re.Pattern[str], text: str, rest: str = " ") -> tuple[str, list[re.Match[str]]]:
    """Return the text with `rest` for the matches of a pattern, and the matches."""
    return pattern.sub(rest, text), list(pattern.finditer(text))


def _views(text: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the text without the words that name a view of the image, the views that it asks for, and their choices.

    If it only denies some, the others: "not AP". A choice is "PA with edema or AP with effusion": no filter holds it.
    """
    views: dict[str, None] = {}
    denied = set[str]()
    kept: list[str] = []
    end = 0
    asked_for: list[re.Match[str]] = []
    for match in _VIEWS.finditer(text):
        denial = _DENIED_BEFORE.search(text[end : match.start()])
        if not _is_view(match, text, is_denied=denial is not None):
            continue
        before = text[end : match.start()]
        behind = _DENIED_BEHIND.match(text, match.end())
        names = [_POSITION_BY_WORD[name.lower()] for name in (match["first"], match["second"]) if name]
        if denial or behind:
            denied |= {view for name in names for view in (_FRONTAL if name == "FRONTAL" else (name,))}
        else:
            views |= dict.fromkeys(names)
            asked_for.append(match)
        kept.append(before[: denial.start()] if denial else before)
        end = behind.end() if behind else match.end()
    rest = " ".join([*kept, text[end:]])
    choices = tuple(
        text[one.start() : other.end()]
        for one, other in pairwise(asked_for)
        if one["first"].lower() != other["first"].lower() and _OR_BETWEEN.search(text, one.end(), other.start())
    )
    if not denied:
        return rest, tuple(views), choices
    asked = [view for name in views for view in (_FRONTAL if name == "FRONTAL" else (name,))] or _ALL_VIEWS
    return rest, tuple(view for view in asked if view not in denied), choices


def _is_view(match: re.Match[str], text: str, *, is_denied: bool) -> bool:
    """Whether a match means how the image was taken; "lateral" alone may be a place."""
    before, after = text[: match.start()].strip(), text[match.end() :].strip()
    named = bool(match["noun"] or match["second"] or match["named"] or _CHEST_BEFORE.search(text[: match.start()]))
    plain = match["first"].lower()
    short = plain in ("pa", "ap", "posteroanterior", "anteroposterior", "laterals", "frontals")
    alone = not after or not before or (before[-1] in ".;" and after[0] in ".;,") or (is_denied and after[0] in ",;.)")
    return named or short or alone
