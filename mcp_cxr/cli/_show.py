"""mcp-cxr show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import as_tool_json, note, print_result, with_archive
from mcp_cxr.cli._output_files import cannot_write, check_output_files
from mcp_cxr.errors import ConfigError
from mcp_cxr.pasted_text import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.records import ImageDetails


@click.command()
@click.argument("image_id")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Write the image to this PNG file.")
@as_tool_json
def show(image_id: str, *, png: Path | None, as_json: bool) -> None:
    """Show everything known about one image."""
    check_output_files(png=png)
    if png and png.suffix.lower() in IMAGE_SUFFIXES and png.suffix.lower() != ".png":
        raise ConfigError(f"--png writes a PNG file, and {png} is named as another kind; end the name in .png.")
    shown = with_archive(lambda archive: _show(archive, image_id, png))
    print_result(shown, _lines(shown), as_json=as_json)
    if shown.external and not as_json:
        note(
            "Note: written by another program, without a usable vector. Run `mcp-cxr ingest` on its folder "
            "to make it searchable."
        )


async def _show(archive: Archive, image_id: str, png: Path | None) -> ImageDetails:
    shown = await archive.show(image_id)
    if png:
        from anyio import to_thread

        from mcp_cxr.images import DisplayOptions

        view = await archive.view(image_id, DisplayOptions())
        try:
            await to_thread.run_sync(png.write_bytes, view.data)
        except OSError as exc:
            raise cannot_write(png, exc) from exc
        note(f"Wrote {png} ({view.width} x {view.height}).")
    return shown


def _grayscale(steps: dict[str, Any]) -> str:
    """Return how the default window was made: `window center 1995, width 3700 (LINEAR), inverted; no rescale`."""
    voi = {
        "lut": "VOI LUT",
        "window": "window center {center:g}, width {width:g} ({function})",
        "stretch": "no window: values {low:g} to {high:g}",
    }.get(steps.get("voi", ""), "not recorded")
    modality = {"lut": "modality LUT", "rescale": "rescale slope {slope:g}, intercept {intercept:g}"}
    inverted = ", inverted" if steps.get("inverted") else ""
    text = f"{voi}{inverted}; {modality.get(steps.get('modality', ''), 'no rescale')}".format_map(steps)
    return "; ".join([text, *steps.get("notes", [])])


def _lines(shown: ImageDetails) -> list[str]:
    rows = {
        "Image": shown.image_id,
        "Study": f"{shown.study_id}, {shown.study_date or 'no date'}",
        "Patient": ", ".join(
            [
                shown.subject_id,
                *([shown.sex] if shown.sex else []),
                *([] if shown.age is None else [f"{shown.age} years"]),
            ]
        ),
        "View": shown.view_position + ("" if shown.view_source == "none" else f" (from {shown.view_source})"),
        "File": shown.path or shown.image_path,
        "Split": shown.split or "-",
        "Labels": ", ".join(f"{label} {value:+d}" if value else f"{label} 0" for label, value in shown.labels.items())
        or "-",
        "Grayscale": _grayscale(shown.grayscale),
        "Other images": ", ".join(shown.other_images) or "-",
        **{name: str(value) for name, value in shown.tags.items() if value is not None},
    }
    width = max(28, *(len(name) + 2 for name in rows))
    return [
        *(f"{name + ':':<{width}}{value}" for name, value in rows.items()),
        *(f"\n{title}\n  {text}" for title, text in (shown.report or {}).items()),
    ]
