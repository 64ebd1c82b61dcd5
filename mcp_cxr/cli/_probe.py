"""mcp-cxr probe fit | scores | list."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import as_json, note, print_result, with_archive
from mcp_cxr.cli._output_files import check_output_files, open_csv_file
from mcp_cxr.cli._probe_lines import fit_notes, probe_lines
from mcp_cxr.csv_writer import CsvWriter
from mcp_cxr.errors import NotFound

if TYPE_CHECKING:
    from mcp_cxr.research.probes import FittedProbes


@click.group(short_help="Learn finding scores from the archive's own labels.")
def probe() -> None:
    """Learn finding scores from the archive's own labels, for research.

    A probe learns one label from the vectors of the labeled images. Each image is scored by a probe that saw no image
    of its patient.
    """


@probe.command()
@as_json
def fit(*, as_json: bool) -> None:
    """Learn a probe for each label, and score all images.

    A label needs at least 50 images, of 20 patients, that have it, and as many that do not. Probes and scores
    replace earlier ones.
    """
    note("Reading the archive and learning its labels ...")
    _show(with_archive(lambda archive: archive.fit_probes()), as_json=as_json)


@probe.command("list", short_help="List the probes, and how good they are.")
@as_json
def list_probes(*, as_json: bool) -> None:
    """List the probes, how good they are, and whether they are out of date."""
    _show(with_archive(lambda archive: archive.probes()), as_json=as_json)


@probe.command(short_help="Score all images, also those added since the fit.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the scores of all images to this CSV file.",
)
@as_json
def scores(*, csv_file: Path | None, as_json: bool) -> None:
    """Score all images that the archive has now with the stored probes."""
    from mcp_cxr.research.probes import score_notes  # imports numpy

    check_output_files(csv=csv_file)
    fitted = with_archive(lambda archive: archive.score_images())
    if not fitted.probes:
        _show(fitted, as_json=as_json)
        if csv_file:
            raise NotFound("No label was learned, so there are no scores to write.")
        return
    if csv_file:
        with open_csv_file(csv_file) as file:
            writer = CsvWriter(file, ("image_id", *(f"score of {label}" for label in fitted.labels)))
            for image_id, values in zip(fitted.image_ids, fitted.values.tolist(), strict=True):
                writer.write([image_id, *(round(value, 4) for value in values)])
        note(f"Wrote {csv_file} ({len(fitted.image_ids):,} images).")
    print_result(_data(fitted), [f"Images with scores: {len(fitted.image_ids):,}"], as_json=as_json)
    if not as_json:
        for line in score_notes(fitted.probes, fitted.stale):
            note(line)


def _show(fitted: FittedProbes, *, as_json: bool) -> None:
    print_result(_data(fitted), probe_lines(fitted), as_json=as_json)
    if not as_json:
        for line in fit_notes(fitted):
            note(line)


def _data(fitted: FittedProbes) -> dict[str, Any]:
    """Return what is known of the probes, without weights and scores, as one JSON object."""
    return {
        **asdict(fitted.choices),
        "probes": [asdict(one) for one in fitted.probes],
        "not_fitted": fitted.not_fitted,
        "scored": len(fitted.image_ids) if fitted.probes else 0,
        "stale": list(fitted.stale),
    }
