"""Plans the content of the demo archive from one seed: patients, studies and images."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from mcp_cxr.demo.phantom import PhantomFinding
from mcp_cxr.records import ImageId, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mcp_cxr.demo._dicom import Syntax, Voi
    from mcp_cxr.demo.phantom import Grade, Side, View, Zone

    _Findings: TypeAlias = tuple[PhantomFinding, ...]

_T = TypeVar("_T")

_FIRST_DAY = date(2120, 1, 1)
_DAYS = 60 * 365
_PORTRAITS = ((512, 416), (512, 416), (528, 430), (560, 456))
_PORTABLES = (*_PORTRAITS, (416, 512), (430, 528))
"""Some cassettes are placed across the bed."""
_VOI_SHARES: dict[Voi, int] = {"window": 6, "lut": 3, "none": 1}
_SYNTAX_SHARES: dict[Syntax, int] = {"explicit": 4, "implicit": 1}
_IMAGES_BEFORE_RLE = 4
"""Images before the one that is compressed."""


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """The properties of one image to write."""

    image_id: ImageId
    view: View
    view_position: str
    """(0018,5101) View Position of the file; empty if absent."""
    shape: tuple[int, int]
    monochrome1: bool
    voi: Voi
    syntax: Syntax
    exposure: int
    """Seed of its position and noise."""


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """One study with its images."""

    subject_id: SubjectId
    study_id: StudyId
    patient: int
    """Seed of the anatomy."""
    day: date
    seconds: float
    """Since midnight."""
    findings: _Findings
    follow_up: bool
    images: tuple[PlannedImage, ...]


def plan_studies(studies: int, seed: int) -> list[PlannedStudy]:
    """Return the studies; every third patient has two of them."""
    rng = random.Random(f"mcp-cxr phantom {seed}")  # noqa: S311  # draws phantoms
    planner = _Planner(studies, rng)
    planned: list[PlannedStudy] = []
    for index, number in enumerate(rng.sample(range(10**6), studies)):
        planned += planner.studies_of_patient(SubjectId(f"p19{number:06}"), 2 if index % 3 == 1 else 1)
    return planned[:studies]


class _Planner:
    """Plans studies and images so that each property has its share, independent of the view."""

    def __init__(self, studies: int, rng: random.Random) -> None:
        self._rng = rng
        self._numbers = iter(rng.sample(range(10**7), 2 * studies))
        self._recipes = itertools.cycle(_RECIPES)
        self._monochrome1 = _shuffled({True: 1, False: 3}, rng)
        self._voi = _shuffled(_VOI_SHARES, rng)
        self._syntax = _syntaxes(rng)
        self._without_view_position = _shuffled({True: 1, False: 9}, rng)

    def studies_of_patient(self, subject: SubjectId, count: int) -> Iterator[PlannedStudy]:
        """Yield the studies of one patient."""
        patient = self._rng.randrange(2**31)
        day = _FIRST_DAY + timedelta(days=self._rng.randrange(_DAYS))
        findings: _Findings = ()
        for number in range(count):
            findings = _with_persistent(next(self._recipes)(self._rng), findings)
            study = StudyId(f"s5{next(self._numbers):07}")
            yield PlannedStudy(
                subject_id=subject,
                study_id=study,
                patient=patient,
                day=day + timedelta(days=number * self._rng.randrange(2, 400)),
                seconds=round(self._rng.uniform(0, 86_399), 3),
                findings=findings,
                follow_up=number > 0,
                images=tuple(self._plan_image(study, view) for view in _views(findings, self._rng)),
            )

    def _plan_image(self, study: StudyId, view: View) -> PlannedImage:
        spelling = self._rng.choice(("LATERAL", "LL")) if view == "LATERAL" else view
        shapes = _PORTABLES if view == "AP" else _PORTRAITS
        return PlannedImage(
            image_id=_image_id(study, view),
            view=view,
            view_position="" if next(self._without_view_position) else spelling,
            shape=self._rng.choice(shapes),
            monochrome1=next(self._monochrome1),
            voi=next(self._voi),
            syntax=next(self._syntax),
            exposure=self._rng.randrange(2**31),
        )


def _shuffled(shares: Mapping[_T, int], rng: random.Random) -> Iterator[_T]:
    """Yield each value as often as its share, shuffled; then again, without end."""
    cards = [card for card, share in shares.items() for _ in range(share)]
    while True:
        yield from rng.sample(cards, len(cards))


def _syntaxes(rng: random.Random) -> Iterator[Syntax]:
    deck = _shuffled(_SYNTAX_SHARES, rng)
    yield from itertools.islice(deck, _IMAGES_BEFORE_RLE)
    yield "rle"
    yield from deck


def _image_id(study: StudyId, view: View) -> ImageId:
    digest = hashlib.sha256(f"mcp-cxr phantom {study}/{view}".encode()).hexdigest()
    return ImageId("-".join(digest[at : at + 8] for at in range(0, 40, 8)))


def _views(findings: _Findings, rng: random.Random) -> tuple[View, ...]:
    """Return AP for a patient with a tube or a line, and for one in six of the others; else PA and lateral."""
    in_bed = any(finding.kind in ("endotracheal tube", "central line") for finding in findings)
    return ("AP",) if in_bed or rng.random() < 1 / 6 else ("PA", "LATERAL")


def _with_persistent(findings: _Findings, earlier: _Findings) -> _Findings:
    """Add the findings of an earlier study that do not resolve."""
    kinds = {finding.kind for finding in findings}
    persistent = ("cardiomegaly", "nodule", "pacemaker")
    return (*findings, *(finding for finding in earlier if finding.kind in persistent and finding.kind not in kinds))


def _side(rng: random.Random) -> Side:
    return rng.choice(("left", "right"))


def _size(rng: random.Random) -> Grade:
    return rng.choice(("small", "moderate", "large"))


def _effusion(rng: random.Random) -> _Findings:
    return (PhantomFinding("effusion", _side(rng), _size(rng)),)


def _effusions(rng: random.Random) -> _Findings:
    return (PhantomFinding("effusion", "left", _size(rng)), PhantomFinding("effusion", "right", _size(rng)))


def _cardiomegaly(rng: random.Random) -> _Findings:
    return (PhantomFinding("cardiomegaly", grade=_size(rng)),)


def _nodule(rng: random.Random) -> _Findings:
    zones: tuple[Zone, ...] = ("upper", "mid", "lower")
    return (PhantomFinding("nodule", _side(rng), diameter_mm=rng.randint(10, 25), zone=rng.choice(zones)),)


_RECIPES: tuple[Callable[[random.Random], _Findings], ...] = (
    lambda _: (),
    _effusion,
    _cardiomegaly,
    lambda rng: (PhantomFinding("pneumothorax", _side(rng), _size(rng)),),
    _nodule,
    lambda _: (PhantomFinding("pacemaker"),),
    lambda _: (),
    lambda rng: (PhantomFinding("endotracheal tube"), PhantomFinding("central line"), *_effusion(rng)),
    _effusions,
    lambda rng: (PhantomFinding("effusion", _side(rng), "trace"),),
    lambda _: (),
    lambda rng: (*_cardiomegaly(rng), *_effusions(rng)),
)
"""What the studies show, one after the other."""
