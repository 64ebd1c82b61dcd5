"""Open-i, Indiana University: reports as XML or as Kaggle's two tables, images as PNG or DICOM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import text_of
from mcp_cxr.layouts._facts import FileFacts
from mcp_cxr.layouts._xml_and_zip import documents_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

# `CXR1_1_IM-0001-3001`, `CXR10_IM-0002-1001` and `10_IM-0002-1001` all begin with the number of the study.
_IMAGE = r"(?:CXR)?(?P<uid>\d+)_(?:\d+_)?(?P<image>IM-[\d-]+)"
_NAME = re.compile(rf"(?:^|/){_IMAGE}(?:\.dcm)?\.(?:png|jpe?g|dcm)$", re.IGNORECASE)
_PARENT = re.compile(_IMAGE, re.IGNORECASE)
_DOCUMENT = re.compile(r"\d+\.xml|NLMCXR_reports\.(?:tgz|tar\.gz|zip)", re.IGNORECASE)
_SECTIONS = ("comparison", "indication", "findings", "impression")


class _Study(NamedTuple):
    report: str | None
    headings: tuple[str, ...]


class OpeniLayout(Adapter):
    """Open-i's chest X-rays of Indiana University."""

    name = "open-i"
    title = "Open-i"
    tables = (
        TableForm(
            "reports",
            re.compile(r"indiana_reports\.csv(?:\.gz)?", re.IGNORECASE),
            ("uid",),
            expected=("MeSH", "findings", "impression"),
            signature=("uid", "MeSH", "findings", "impression"),
        ),
        TableForm(
            "projections",
            re.compile(r"indiana_projections\.csv(?:\.gz)?", re.IGNORECASE),
            ("uid", "filename"),
            expected=("projection",),
            signature=("uid", "filename", "projection"),
        ),
    )
    documents = _DOCUMENT
    lacks = (
        "No patients: each study is a subject of its own unless a header says more.",
        "XXXX in a report replaces words that were taken out.",
        "Its MeSH headings name what is present; a missing label is unknown, not absent.",
    )
    label_names: ClassVar[Mapping[str, str]] = {
        "normal": "No Finding",
        "Pulmonary Atelectasis": "Atelectasis",
        "Pulmonary Edema": "Edema",
        "Fractures, Bone": "Fracture",
        "Nodule": "Lung Lesion",
        "Mass": "Lung Lesion",
        "Opacity": "Lung Opacity",
        "Catheters, Indwelling": "Support Devices",
        "Implanted Medical Device": "Support Devices",
        "Medical Device": "Support Devices",
        "Tube, Inserted": "Support Devices",
    }

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read one of Kaggle's tables."""
        if form.kind == "projections":
            return RowsByKey(_projections(reading))
        return RowsByKey(_studies(reading))

    def read_xml_and_zip(self, paths: Sequence[Path], warn: Callable[[str], None]) -> None:
        """Read reports as XML, in XML, zip or tar files, which also name their images."""
        found = RowsByKey[_Study](())
        images: list[tuple[str, tuple[str, None]]] = []
        for root in documents_in(paths, warn):
            if (document := _document(root)) is not None:
                uid, study, names = document
                found.add(uid, study)
                images += [(name, (uid, None)) for name in names]
        self.loaded.setdefault("documents", []).append(RowsByKey(images))
        self.loaded.setdefault("reports", []).append(found)

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that a table or a report names."""
        found = _NAME.search(path)
        key = _key(found) if found else ""
        placed = self.find("projections", key) or self.find("documents", key)
        if placed is None:
            return None
        uid, view = placed
        study: _Study | None = self.find("reports", uid)
        labels = dict.fromkeys(study.headings, 1) if study else {}
        return FileFacts(
            study=f"open-i-{uid}",
            image=f"open-i-{key}",
            view=view,
            labels=self.with_common_names(labels),
            labels_by="people" if labels else None,
            positives_only=bool(labels),
            report=study.report if study else None,
        )


def _key(found: re.Match[str]) -> str:
    return f"{found['uid']}_{found['image']}"


def _projections(reading: TableReading) -> Iterator[tuple[str, tuple[str, str | None]]]:
    for uid, name, projection in reading.table.cells(("uid", "filename", "projection")):
        if found := _NAME.search(name.strip()):
            yield _key(found), (uid.strip(), {"lateral": "LATERAL"}.get(projection.strip().lower()))


def _studies(reading: TableReading) -> Iterator[tuple[str, _Study]]:
    for uid, mesh, *cells in reading.table.cells(("uid", "MeSH", *_SECTIONS)):
        sections = zip(_SECTIONS, cells, strict=True)
        report = "\n\n".join(f"{name.upper()}: {text}" for name, cell in sections if (text := text_of(cell)))
        yield uid.strip(), _Study(report or None, _headings(mesh.split(";")))


def _headings(terms: Sequence[str]) -> tuple[str, ...]:
    """Return MeSH's main headings: of `Cardiomegaly/mild`, Cardiomegaly."""
    heads = (term.partition("/")[0].strip() for term in terms)
    return tuple(dict.fromkeys(head for head in heads if head))


def _document(root: Element) -> tuple[str, _Study, list[str]] | None:
    uid = root.find("uId")
    if uid is None or not uid.get("id"):
        return None
    texts = {one.get("Label", ""): " ".join((one.text or "").split()) for one in root.iter("AbstractText")}
    report = "\n\n".join(f"{name}: {text}" for name, text in texts.items() if text)
    headings = _headings([one.text or "" for one in root.findall("MeSH/major")])
    names = [_key(found) for one in root.iter("parentImage") if (found := _PARENT.fullmatch(one.get("id", "")))]
    return uid.get("id", "").removeprefix("CXR"), _Study(report or None, headings), names
