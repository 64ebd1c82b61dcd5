"""What the demonstration encoder finds by pixels alone: `python -m tests.bench demo_encoder`.

It draws 500 studies of a seed that training never saw, ingests them without reports, and asks for each finding by
several names: of the encoder alone, and through `search` with `mode="vector"`, which reads a question first. The table
is that of docs/demo-encoder.md. CXR_BENCH_DIR keeps the archive.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import anyio

from mcp_cxr.archive import mark_as_demo, open_archive
from mcp_cxr.demo import ENCODER_FOLDER, write_data_set
from mcp_cxr.records import Filter
from tests.server.archives import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.archive import Archive
    from mcp_cxr.demo import PhantomFinding

STUDIES, SEED = 500, 7001
FIRST = 10
SIDE_TO_REACH = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """What is asked for, by several names, and the share of right ones among the first ten to reach."""

    names: tuple[str, ...]
    to_reach: float
    has_sides: bool = False


FINDINGS: Mapping[str, Finding] = {
    "effusion": Finding(
        ("pleural effusion", "effusion", "fluid in the pleural space", "blunted costophrenic angle"),
        0.95,
        has_sides=True,
    ),
    "cardiomegaly": Finding(("cardiomegaly", "enlarged heart", "enlarged cardiac silhouette", "big heart"), 0.95),
    "pacemaker": Finding(("pacemaker", "pacemaker leads", "cardiac device", "pacing device"), 0.95),
    "endotracheal tube": Finding(("endotracheal tube", "et tube", "intubated", "breathing tube"), 0.95),
    "central line": Finding(("central line", "central venous catheter", "picc line", "catheter"), 0.9),
    "nodule": Finding(("nodule", "lung nodule", "pulmonary nodule", "mass", "lung lesion"), 0.8, has_sides=True),
    "pneumothorax": Finding(
        ("pneumothorax", "collapsed lung", "ptx", "air in the pleural space"), 0.6, has_sides=True
    ),
    "normal": Finding(("normal chest", "no acute cardiopulmonary process", "clear lungs", "normal film"), 0.6),
}  # fmt: skip


def shows(findings: tuple[PhantomFinding, ...], kind: str, side: str | None) -> bool:
    """Return whether a study shows a finding, on that side if one is asked for."""
    if kind == "normal":
        return not findings
    return any(finding.kind == kind and side in (None, finding.side) for finding in findings)


async def measure(archive: Archive, shown: Mapping[str, tuple[PhantomFinding, ...]]) -> bool:
    """Print the table; return whether the encoder reached everything."""
    heads = ("", "right studies", "share (chance)", "P@10", "to reach", "lowest name", "right in as many")
    print(f"| {' | '.join(heads)} | P@10 by `search` | lowest there |")
    print("|---" * (len(heads) + 2) + "|")
    reached = True
    for kind, finding in FINDINGS.items():
        for side in (None, "left", "right") if finding.has_sides else (None,):
            asked = f"{side} {kind}" if side else kind
            right = {study for study, findings in shown.items() if shows(findings, kind, side)}
            texts = [f"{side} {name}" if side else name for name in finding.names]
            rankings = [await _ranked_by_encoder(archive, text) for text in texts]
            alone = {text: _precision(ranking[:FIRST], right) for text, ranking in zip(texts, rankings, strict=True)}
            in_as_many = mean(_precision(ranking[: len(right)], right) for ranking in rankings)
            searched = {text: _precision(await _searched(archive, text), right) for text in texts}
            target = SIDE_TO_REACH if side else finding.to_reach
            reached &= mean(alone.values()) >= target
            cells = (
                *(len(right), f"{len(right) / len(shown):.2f}", f"{mean(alone.values()):.2f}", f"{target:.2f}"),
                *(_lowest(alone), f"{in_as_many:.2f}", f"{mean(searched.values()):.2f}", _lowest(searched)),
            )
            print(f"| {asked} | " + " | ".join(map(str, cells)) + " |", flush=True)
    return reached


async def _ranked_by_encoder(archive: Archive, text: str) -> list[str]:
    """Return all studies by the text as it stands, best first."""
    (vector,) = await archive.embedder.embed_texts([text])
    ranked = await archive.store.nearest(vector, Filter(), limit=3 * STUDIES)
    return list(dict.fromkeys(image.study_id for image in ranked))


async def _searched(archive: Archive, text: str) -> list[str]:
    """Return the first studies of a user's search, which reads the text first."""
    return [hit.study_id for hit in (await archive.search(text, mode="vector", limit=FIRST)).images]


def _precision(studies: Sequence[str], right: set[str]) -> float:
    return mean(study in right for study in studies)


def _lowest(found: Mapping[str, float]) -> str:
    text, value = min(found.items(), key=lambda item: item[1])
    return "-" if value == 1 else f"{value:.2f} ({text})"


async def _measured(folder: Path) -> bool:
    drawn = write_data_set(folder / "images", studies=STUDIES, seed=SEED)
    for path in (*drawn.folder.rglob("*.txt"), *drawn.folder.glob("*.csv.gz")):
        path.unlink()
    data = folder / "archive"
    mark_as_demo(data)
    variables = {
        "MCP_CXR_DATA_DIR": str(data), "MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(ENCODER_FOLDER),
    }  # fmt: skip
    async with open_archive(settings(variables)) as archive:
        await archive.ingest(drawn.folder)
        return await measure(archive, {image.study_id: image.findings for image in drawn.images})


def main() -> int:
    origin = json.loads((ENCODER_FOLDER / "config.json").read_text())["mcp_cxr"]
    print(f"Demonstration encoder {origin['digest'][:16]}: {STUDIES} studies of seed {SEED}, by pixels alone")
    if kept := os.environ.get("CXR_BENCH_DIR"):
        return 0 if anyio.run(_measured, Path(kept) / "demo_encoder") else 1
    with tempfile.TemporaryDirectory() as folder:
        return 0 if anyio.run(_measured, Path(folder)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
