"""Draws the training set of the demonstration encoder: phantoms as an ingest renders them, and what each shows.

Rare findings are drawn more often than in the demo. Half of the images have a twin: the same patient and exposure
with one finding less, or on the other side, so that only the finding tells the two apart.
"""

from __future__ import annotations

import json
import random
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from mcp_cxr.demo import PhantomFinding, draw_phantom, to_dicom
from mcp_cxr.images import read_image
from mcp_cxr.records import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mcp_cxr.demo._dicom import Voi
    from mcp_cxr.demo.phantom import Kind, Side, View

IMAGE_PX = 192
_SEEDS_FROM = 2**31
"""The demo's patients and exposures have lower seeds, so none of its images is drawn here."""
_KIND_WEIGHTS: dict[Kind, float] = {
    "effusion": 1.3,
    "pneumothorax": 2.0,
    "cardiomegaly": 0.9,
    "nodule": 2.0,
    "pacemaker": 0.6,
    "central line": 0.8,
    "endotracheal tube": 0.8,
}
_VOIS: tuple[Voi, ...] = ("window", "lut", "none")
_IN_BED = ("central line", "endotracheal tube")
_SHAPES: dict[View, tuple[tuple[int, int], ...]] = {
    "AP": ((512, 416), (528, 430), (560, 456), (416, 512), (430, 528)),
    "PA": ((512, 416), (528, 430), (560, 456)),
    "LATERAL": ((512, 416), (528, 430), (560, 456)),
}


@dataclass(frozen=True, slots=True)
class TrainingImage:
    """One image to draw."""

    view: View
    patient: int
    exposure: int
    shape: tuple[int, int]
    voi: Voi
    findings: tuple[PhantomFinding, ...]


def plan_images(count: int, seed: int) -> Iterator[TrainingImage]:
    """Yield `count` images; the same arguments yield the same ones."""
    rng = random.Random(f"demo encoder {seed}")  # noqa: S311  # draws phantoms
    made = 0
    while made < count:
        findings = _findings(rng)
        group = [findings, _twin(findings, rng)] if findings and _chance(0.6, rng) else [findings]
        view = _view(findings, rng)
        patient, exposure = (_SEEDS_FROM + rng.randrange(2**31) for _ in range(2))
        shape, voi = rng.choice(_SHAPES[view]), rng.choices(_VOIS, (6, 3, 1))[0]
        for shown in group[: count - made]:
            yield TrainingImage(view, patient, exposure, shape, voi, shown)
            made += 1


def _chance(share: float, rng: random.Random) -> bool:
    return rng.random() < share


def _findings(rng: random.Random) -> tuple[PhantomFinding, ...]:
    if _chance(0.16, rng):
        return ()
    wanted = rng.choices((1, 2, 3), (60, 28, 12))[0]
    kinds: list[Kind] = []
    while len(kinds) < wanted:
        kind = rng.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()))[0]
        if kind not in kinds:
            kinds.append(kind)
    return tuple(finding for kind in kinds for finding in _of_kind(kind, rng))


def _of_kind(kind: Kind, rng: random.Random) -> list[PhantomFinding]:
    sides: list[Side] = ["left", "right"]
    side = rng.choice(sides)
    match kind:
        case "effusion":
            both = _chance(0.3, rng)
            shown: list[Side] = sides if both else [side]
            return [
                PhantomFinding(kind, s, rng.choices(("trace", "small", "moderate", "large"), (3, 3, 2, 2))[0])
                for s in shown
            ]
        case "pneumothorax":
            return [PhantomFinding(kind, side, rng.choice(("small", "moderate", "large")))]
        case "cardiomegaly":
            return [PhantomFinding(kind, grade=rng.choice(("small", "moderate", "large")))]
        case "nodule":
            zone = rng.choice(("upper", "mid", "lower"))
            return [PhantomFinding(kind, side, diameter_mm=rng.randint(10, 25), zone=zone)]
        case _:
            return [PhantomFinding(kind)]


def _twin(findings: tuple[PhantomFinding, ...], rng: random.Random) -> tuple[PhantomFinding, ...]:
    """Return the findings with one removed, or with one on the other side."""
    at = rng.randrange(len(findings))
    rest = (*findings[:at], *findings[at + 1 :])
    changed = findings[at]
    alone = sum(finding.kind == changed.kind for finding in findings) == 1
    if changed.side and alone and _chance(0.4, rng):
        return (*rest, replace(changed, side="left" if changed.side == "right" else "right"))
    return rest


def _view(findings: tuple[PhantomFinding, ...], rng: random.Random) -> View:
    if any(finding.kind in _IN_BED for finding in findings):
        return "AP" if _chance(0.85, rng) else "PA"
    views: tuple[View, ...] = ("PA", "AP", "LATERAL")
    return rng.choices(views, (50, 25, 25))[0]


def draw(image: TrainingImage, scratch: Path) -> NDArray[np.uint8]:
    """Return the image as an ingest hands it to an encoder: uint8, shape (192, 192)."""
    rows, columns = image.shape
    pixels = draw_phantom(
        image.view, image.findings, patient=image.patient, exposure=image.exposure, rows=rows, columns=columns
    )
    scratch.write_bytes(to_dicom(pixels, voi=image.voi))
    return read_image(scratch, ImageSpec(size=IMAGE_PX, mode="L")).rendering.pixels


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=8_000, show_default=True)
@click.option("--seed", default=20, show_default=True)
@click.option("--shard-size", default=1_000, show_default=True)
@click.option("--every", default=1, show_default=True, help="Draw every n-th shard, to share the work.")
@click.option("--first", default=0, show_default=True, help="The first shard.")
def main(folder: Path, images: int, seed: int, shard_size: int, every: int, first: int) -> None:
    """Draw shards of the training set into FOLDER; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    planned = list(plan_images(images, seed))
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "image.dcm"
        for shard in range(first, (images + shard_size - 1) // shard_size, every):
            target = folder / f"{shard:03}.npz"
            if target.exists():
                continue
            part = planned[shard * shard_size : (shard + 1) * shard_size]
            pixels = np.stack([draw(image, file) for image in part])
            shown = json.dumps([{"view": image.view, "findings": list(map(asdict, image.findings))} for image in part])
            np.savez(target.with_suffix(".part.npz"), pixels=pixels, shown=shown)
            target.with_suffix(".part.npz").rename(target)
            click.echo(f"{target}: {len(part)} images")


if __name__ == "__main__":
    main()
