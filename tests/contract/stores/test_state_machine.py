"""After any sequence of operations, a store returns what plain dicts would."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mcp_cxr.language import document_terms
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import sample_key
from tests.contract.stores.backends import RANKING_BACKENDS
from tests.contract.stores.making import FINGERPRINT, at_cosine, axis, bm25, ids, image, outcome

if TYPE_CHECKING:
    from mcp_cxr.records import ImageRecord, Outcome
    from tests.contract.stores.backends import Backend

NAMES = st.sampled_from([f"i{n}" for n in range(6)])
NUMBERS = st.integers(1, 3)
COSINES = st.sampled_from([-0.5, 0.0, 0.25, 0.75])
IMAGES = st.builds(
    lambda name, number, view, tag: image(
        name, f"s{number}", f"p{(number + 1) // 2}", view_position=view, tags={"SeriesDescription": tag}
    ),
    NAMES,
    NUMBERS,
    st.sampled_from(["PA", "LATERAL"]),
    st.sampled_from(["upright", "bedside"]),
)
STUDIES = st.builds(
    lambda number, date, labels, report: Study(
        StudyId(f"s{number}"), SubjectId(f"p{(number + 1) // 2}"), study_date=date, labels=labels, report=report
    ),
    NUMBERS,
    st.sampled_from([None, "2180-01-01", "2181-01-01"]),
    st.dictionaries(st.sampled_from(["Edema", "Fracture"]), st.sampled_from([-1, 0, 1])),
    st.sampled_from([None, "effusion left effusion", "clear"]),
)
OUTCOMES = st.builds(
    lambda name, number: outcome(f"/{name}", name if number > 1 else None, None if number > 1 else "not DICOM"),
    NAMES,
    NUMBERS,
)


@dataclass
class Model:
    """What a store should hold."""

    images: dict[ImageId, ImageRecord] = field(default_factory=dict)
    cosines: dict[ImageId, float] = field(default_factory=dict)
    studies: dict[str, Study] = field(default_factory=dict)
    files: dict[str, Outcome] = field(default_factory=dict)

    def put(self, images: list[ImageRecord], cosines: list[float]) -> None:
        for record, cosine in zip(images, cosines, strict=True):
            self.images[record.image_id] = record
            self.cosines[record.image_id] = cosine
            self.studies.setdefault(record.study_id, Study(record.study_id, record.subject_id))

    def put_studies(self, studies: list[Study]) -> int:
        before = dict(self.studies)
        for study in studies:
            old = self.studies.get(study.study_id, study)
            self.studies[study.study_id] = replace(
                old,
                study_date=study.study_date or old.study_date,
                labels=study.labels or old.labels,
                report=study.report or old.report,
            )
        return sum(study != before.get(study_id) for study_id, study in self.studies.items())

    def forget(self, where: Filter) -> int:
        gone = {
            name
            for name, record in self.images.items()
            if record.image_id == where.image_id
            or record.study_id == where.study_id
            or record.subject_id == where.subject_id
        }
        touched = {self.images[name].study_id for name in gone}
        touched |= {
            study.study_id
            for study in self.studies.values()
            if study.study_id == where.study_id or study.subject_id == where.subject_id
        }
        self.images = {name: record for name, record in self.images.items() if name not in gone}
        self.cosines = {name: cosine for name, cosine in self.cosines.items() if name not in gone}
        used = {record.study_id for record in self.images.values()}
        self.studies = {key: study for key, study in self.studies.items() if key in used or key not in touched}
        self.files = {path: file for path, file in self.files.items() if file.image_id not in gone}
        return len(gone)

    def documents(self) -> dict[str, list[str]]:
        of: dict[str, list[tuple[str, dict]]] = {}
        for record in self.images.values():
            of.setdefault(record.study_id, []).append((record.view_position, dict(record.tags)))
        return {study_id: document_terms(self.studies[study_id], seen) for study_id, seen in of.items()}


class StoreBesideModel(RuleBasedStateMachine):
    backend_type: type[Backend]

    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.resources = ExitStack()
        folder = self.resources.enter_context(tempfile.TemporaryDirectory())
        self.portal = self.resources.enter_context(start_blocking_portal())
        backend = self.backend_type(Path(folder) / "archive")
        self.resources.enter_context(backend.patched())
        store = backend.store()
        self.store = self.resources.enter_context(self.portal.wrap_async_context_manager(store))
        self.portal.call(self.store.create, FINGERPRINT)

    def teardown(self) -> None:
        self.resources.close()

    @rule(images=st.lists(IMAGES, max_size=4, unique_by=lambda record: record.image_id), draw=st.data())
    def put(self, images: list[ImageRecord], draw: st.DataObject) -> None:
        cosines = draw.draw(st.lists(COSINES, min_size=len(images), max_size=len(images)))
        self.portal.call(self.store.put, images, at_cosine(*cosines))
        self.model.put(images, cosines)

    @rule(studies=st.lists(STUDIES, max_size=3))
    def put_studies(self, studies: list[Study]) -> None:
        assert self.portal.call(self.store.put_studies, studies) == self.model.put_studies(studies)

    @rule(files=st.lists(OUTCOMES, max_size=3))
    def record(self, files: list[Outcome]) -> None:
        self.portal.call(self.store.record_outcomes, files)
        self.model.files.update({file.path: file for file in files})

    @rule(name=NAMES, number=NUMBERS, kind=st.sampled_from(["image", "study", "subject"]))
    def forget(self, name: str, number: int, kind: str) -> None:
        where = {
            "image": Filter(image_id=ImageId(name)),
            "study": Filter(study_id=StudyId(f"s{number}")),
            "subject": Filter(subject_id=SubjectId(f"p{number}")),
        }[kind]
        assert self.portal.call(self.store.forget, where) == self.model.forget(where)

    @rule()
    def drop_and_create(self) -> None:
        self.portal.call(self.store.drop)
        assert self.portal.call(self.store.create, FINGERPRINT)
        self.model = Model()

    @invariant()
    def holds_the_same(self) -> None:
        page = self.portal.call(lambda: self.store.images_after(None, limit=99))
        assert [item.image for item in page] == [self.model.images[name] for name in sorted(self.model.images)]
        assert [item.study for item in page] == [self.model.studies[item.image.study_id] for item in page]
        paths = [f"/i{n}" for n in range(6)]
        assert self.portal.call(self.store.outcomes, paths) == self.model.files
        assert list(self.portal.call(self.store.reference_sample).ids) == sorted(self.model.images, key=sample_key)

    @invariant()
    def ranks_the_same(self) -> None:
        near = self.portal.call(lambda: self.store.nearest(axis(), Filter(), limit=4))
        cosines = self.model.cosines
        assert [hit.image_id for hit in near] == sorted(cosines, key=lambda name: (-cosines[name], name))[:4]
        np.testing.assert_allclose([hit.score for hit in near], [cosines[hit.image_id] for hit in near], atol=1e-6)

    @invariant()
    def finds_the_same_words(self) -> None:
        terms = ["effus", "clear", "edema", "bedsid"]
        documents = self.model.documents()
        expected = bm25(documents, terms) if documents else {}
        found = self.portal.call(lambda: self.store.match(terms, Filter(), limit=99))
        images = [name for name, record in self.model.images.items() if record.study_id in expected]
        assert sorted(ids(found)) == sorted(images)
        assert [hit.score for hit in found] == pytest.approx([expected[hit.study_id] for hit in found], rel=1e-9)


@pytest.mark.parametrize("backend_type", RANKING_BACKENDS)
def test_a_store_behaves_like_a_dict(backend_type: type[Backend]) -> None:
    machine = type("Machine", (StoreBesideModel,), {"backend_type": backend_type})
    quick = settings(
        max_examples=backend_type.walks,
        stateful_step_count=15,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(machine, settings=quick)
