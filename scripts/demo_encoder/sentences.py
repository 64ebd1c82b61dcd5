"""Writes what is asked of phantoms, and knows which phantom answers it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np

from mcp_cxr.demo import PhantomFinding, write_report

NAMES: dict[str, tuple[str, ...]] = {
    "effusion": (
        "pleural effusion", "effusion", "pleural fluid", "fluid in the pleural space", "blunted costophrenic angle",
        "hydrothorax", "fluid around the lung",
    ),
    "pneumothorax": (
        "pneumothorax", "collapsed lung", "ptx", "air in the pleural space", "apical pneumothorax",
        "visible pleural line",
    ),
    "cardiomegaly": (
        "cardiomegaly", "enlarged heart", "enlarged cardiac silhouette", "big heart", "cardiac enlargement",
        "heart enlargement", "enlarged cardiomediastinum",
    ),
    "nodule": (
        "lung nodule", "nodule", "pulmonary nodule", "mass", "lung mass", "lung lesion", "nodular opacity",
        "coin lesion", "spot on the lung", "rounded opacity", "tumor",
    ),
    "pacemaker": (
        "pacemaker", "pacemaker leads", "cardiac device", "pacing device", "pacer", "pacing wires",
        "dual-chamber pacemaker", "implanted cardiac device",
    ),
    "central line": (
        "central line", "central venous catheter", "picc line", "catheter", "internal jugular line", "venous catheter",
        "internal jugular central venous catheter", "cvc", "ij line",
    ),
    "endotracheal tube": (
        "endotracheal tube", "et tube", "intubated", "ett", "breathing tube", "intubated patient", "tracheal tube",
        "intubation",
    ),
    "device": ("support devices", "support device", "lines and tubes", "medical device"),
    "normal": (
        "normal chest", "no acute cardiopulmonary process", "clear lungs", "normal film", "normal", "no abnormality",
        "no finding", "unremarkable chest", "healthy chest",
        "no acute cardiopulmonary abnormality", "normal radiograph",
    ),
    "pa": ("pa view", "pa", "posteroanterior view"),
    "ap": ("ap view", "portable ap", "portable", "anteroposterior view"),
    "lateral": ("lateral view", "lateral", "side view"),
    "frontal": ("frontal view", "frontal"),
}  # fmt: skip
NEVER_SHOWN = (
    "pneumonia", "consolidation", "pulmonary edema", "edema", "rib fracture", "fracture", "atelectasis",
    "lung opacity", "pleural other", "pleural thickening", "emphysema", "scoliosis", "hernia", "tuberculosis",
)  # fmt: skip
"""Findings that no phantom has: such a question finds nothing."""
_FORM_WEIGHTS = {"report": 15, "view": 5, "denial": 7, "bilateral": 4, "two": 12, "one": 57}
_DEVICES = ("pacemaker", "central line", "endotracheal tube")
_SIDED = ("effusion", "pneumothorax", "nodule")
_GRADED = ("effusion", "pneumothorax", "cardiomegaly")
_KINDS = (*_SIDED, "cardiomegaly", *_DEVICES)
_ZONES = ("upper", "mid", "lower")
_GRADE_WORDS = {
    "trace": ("trace", "minimal", "tiny"),
    "small": ("small", "mild"),
    "moderate": ("moderate",),
    "large": ("large", "severe", "big", "massive"),
}
_OPENINGS = (
    "chest x-ray showing", "chest radiograph with", "film of", "show me", "patient with", "images of", "find",
    "there is", "there is a", "evidence of", "chest x-ray,", "a chest x-ray of", "cases of", "x-ray with", "any",
    "studies with",
)  # fmt: skip
_BILATERAL = ("bilateral pleural effusions", "bilateral effusions", "effusions on both sides")
_DENIALS = ("no {}", "without {}", "there is no {}", "absence of {}")


def _attributes() -> list[str]:
    sided = [f"{side} {kind}" for kind in _SIDED for side in ("left", "right")]
    kinds = [*NAMES, "never", *sided]
    graded = [f"{grade} {kind}" for kind in (*_GRADED, *sided[:4]) for grade in _GRADE_WORDS]
    zones = [f"{zone} {kind}" for kind in ("nodule", *sided[4:]) for zone in _ZONES]
    return [*kinds, *graded, *zones]


ATTRIBUTES = _attributes()
"""What can be true of a phantom, by name: a kind, side and kind, grade or zone before either, a view."""
_INDEX = {name: at for at, name in enumerate(ATTRIBUTES)}


def attributes(view: str, findings: list[PhantomFinding]) -> np.ndarray:
    """Return which attributes a phantom has: bool, shape (len(ATTRIBUTES),)."""
    has = {view.lower(), "lateral" if view == "LATERAL" else "frontal"}
    if not findings:
        has.add("normal")
    for finding in findings:
        kind = finding.kind
        if kind == "pneumothorax" and view == "LATERAL":
            continue  # not drawn from the side
        names = [kind, *([f"{finding.side} {kind}"] if finding.side else [])]
        has.update(names)
        if kind in _GRADED:
            has.update(f"{finding.grade} {name}" for name in names)
        if kind == "nodule":
            has.update(f"{finding.zone} {name}" for name in names)
        if kind in _DEVICES:
            has.add("device")
    return np.array([name in has for name in ATTRIBUTES])


@dataclass(frozen=True, slots=True)
class Question:
    """A text, the attributes it demands and those it rules out."""

    text: str
    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


def truths(shown: np.ndarray, questions: list[Question]) -> np.ndarray:
    """Return which phantom answers which question: bool, shape (phantoms, questions)."""
    demanded = np.zeros((2, len(ATTRIBUTES), len(questions)), dtype=np.float32)
    for at, question in enumerate(questions):
        demanded[0, [_INDEX[name] for name in question.present], at] = 1
        demanded[1, [_INDEX[name] for name in question.absent], at] = 1
    has = shown.astype(np.float32)
    return ((1 - has) @ demanded[0] + has @ demanded[1]) == 0


def question_about(view: str, findings: list[PhantomFinding], rng: random.Random) -> Question:
    """Return a question that the phantom answers."""
    seen = [finding for finding in findings if not (finding.kind == "pneumothorax" and view == "LATERAL")]
    form = rng.choices(tuple(_FORM_WEIGHTS), tuple(_FORM_WEIGHTS.values()))[0]
    if form == "report" and len(seen) == len(findings):
        return _from_report(view, findings, rng)
    if form == "view" or (findings and not seen):
        on_side = "lateral" if view == "LATERAL" else "frontal"
        return _ask((rng.choice((view.lower(), view.lower(), on_side)),), rng)
    if not findings:
        return _ask(("normal",), rng)
    if form == "denial":
        kind = rng.choice([kind for kind in _KINDS if kind not in {finding.kind for finding in seen}])
        return Question(rng.choice(_DENIALS).format(_name(kind, rng)), (), (kind,))
    if form == "bilateral" and sum(finding.kind == "effusion" for finding in seen) > 1:
        return Question(rng.choice(_BILATERAL), ("left effusion", "right effusion"))
    chosen = rng.sample(seen, min(2, len(seen))) if form == "two" else [rng.choice(seen)]
    return _ask(tuple(_attribute(finding, rng) for finding in chosen), rng)


def any_question(rng: random.Random) -> Question:
    """Return a short question, answered or not."""
    if _chance(0.05, rng):
        return Question(_open(rng.choice(NEVER_SHOWN), rng), ("never",))
    kind = rng.choice((*_KINDS, "device", "normal"))
    if kind in _SIDED and _chance(0.6, rng):
        kind = f"{rng.choice(('left', 'right'))} {kind}"
    return _ask((kind,), rng)


def _chance(share: float, rng: random.Random) -> bool:
    return rng.random() < share


def _attribute(finding: PhantomFinding, rng: random.Random) -> str:
    if finding.kind in _DEVICES:
        return "device" if _chance(0.08, rng) else finding.kind
    name = f"{finding.side} {finding.kind}" if finding.side and _chance(0.45, rng) else finding.kind
    if finding.kind in _GRADED and _chance(0.2, rng):
        return f"{finding.grade} {name}"
    if finding.kind == "nodule" and _chance(0.3, rng):
        return f"{finding.zone} {name}"
    return name


def _ask(wanted: tuple[str, ...], rng: random.Random) -> Question:
    text = rng.choice((" and ", ", ", " with ")).join(_name(name, rng) for name in wanted)
    return Question(_open(text, rng), wanted)


def _open(text: str, rng: random.Random) -> str:
    opened = f"{rng.choice(_OPENINGS)} {text}" if _chance(0.25, rng) else text
    return f"{opened}." if _chance(0.1, rng) else opened


def _name(attribute: str, rng: random.Random) -> str:
    """Return a way to say it: `mid left nodule` as `mass in the left mid lung`."""
    if attribute in NAMES:
        return rng.choice(NAMES[attribute])
    *words, kind = attribute.split()
    name = rng.choice(NAMES[kind])
    side = next((word for word in words if word in ("left", "right")), "")
    zone = next((word for word in words if word in _ZONES), "")
    grades = [rng.choice(_GRADE_WORDS[word]) for word in words if word in _GRADE_WORDS]
    if zone and _chance(0.5, rng):
        place = " ".join(word for word in (side, zone, rng.choice(("zone", "lung", "lung zone", "lobe"))) if word)
        return f"{name} in the {place}"
    if side and not zone and _chance(0.15, rng):
        return " ".join((*grades, name, "on the", side))
    sided = rng.choice((side, side, f"{side}-sided", f"{side} sided")) if side else ""
    zoned = rng.choice((zone, f"{zone} zone", f"{zone} lung")) if zone else ""
    return " ".join(word for word in (*grades, sided, zoned, name) if word)


_SECTION = re.compile(r"(FINDINGS|IMPRESSION): \n(.*?)(?=\n [A-Z]+:|\Z)", re.DOTALL)


def _from_report(view: str, findings: list[PhantomFinding], rng: random.Random) -> Question:
    """Return findings or impression of the phantom's report; only what shows the same kinds and sides answers it."""
    frontal = "AP" if view == "AP" else "PA"
    report = write_report(findings, view=frontal, follow_up=False, seed=rng.randrange(2**31)).text
    sections = [" ".join(text.split()) for _, text in _SECTION.findall(report)]
    text = rng.choice((*sections, " ".join(sections)))
    present = {f"{finding.side} {finding.kind}" if finding.side else finding.kind for finding in findings}
    possible = {f"{side} {kind}" for kind in _SIDED for side in ("left", "right")} | {"cardiomegaly", *_DEVICES}
    return Question(text, tuple(present), tuple(possible - present))


def vocabulary() -> list[str]:
    """Return every word that a question can have, in the order of the alphabet."""
    rng = random.Random(0)  # noqa: S311  # draws sentences
    texts = [*(text for names in NAMES.values() for text in names), *NEVER_SHOWN, *_OPENINGS, *_BILATERAL]
    texts += [word for words in _GRADE_WORDS.values() for word in words]
    texts += ["no without absence left-sided right on the in and with upper mid middle lower zone lung lobe base apex"]
    texts += [
        write_report(findings, view=view, follow_up=True, seed=seed).text
        for seed in range(60)
        for view in ("PA", "AP")
        for findings in _examples(rng)
    ]
    return sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text.lower()) if not word.isdigit()})


def _examples(rng: random.Random) -> list[list[PhantomFinding]]:
    grades = ("small", "moderate", "large")
    alone = [
        PhantomFinding(
            kind, rng.choice(("left", "right")), rng.choice(grades), zone=rng.choice(("upper", "mid", "lower"))
        )
        for kind in (*_SIDED, "cardiomegaly", *_DEVICES)
    ]
    both = [PhantomFinding("effusion", side, rng.choice(grades)) for side in ("left", "right")]
    return [[], both, [PhantomFinding("effusion", "left", "trace")], *([finding] for finding in alone)]
