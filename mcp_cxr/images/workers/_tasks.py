"""Tasks that run in this process or in a worker, sent as JSON and answered with JSON and raw bytes.

Nothing is pickled: a worker that a malicious file has taken over can send a false image, but no code.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from mcp_cxr.images._read import DecodedImage, read_header, read_image, render_view
from mcp_cxr.images._stored_values import StoredValues, read_values
from mcp_cxr.images.dicom import HeaderFacts, Window
from mcp_cxr.images.dicom_reports import ReportDocument, read_document
from mcp_cxr.images.render import DisplayOptions, ImageView
from mcp_cxr.records import ImageSpec, Rendering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """Reads one file in one way."""

    read: Callable[..., Result]
    """`read_header`, `read_image`, `render_view`, `read_values` or `read_document`."""
    path: Path
    options: dict[str, Any]
    """Further arguments of `read`: JSON values, an `ImageSpec` or `DisplayOptions`."""
    result_from: Callable[[dict[str, Any], Sequence[bytes]], Result]
    """Makes the result from the JSON values and the bytes of a worker's answer, both untrusted."""

    def run(self) -> Result:
        """Run the task in this process, if its pixel data is uncompressed; see `read_image`."""
        return self.read(self.path, uncompressed_only=True, **self.options)

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker, as JSON values."""
        return {"task": self.read.__name__, "path": os.fspath(self.path)} | {
            name: _to_json(value, []) for name, value in self.options.items()
        }


def header_task(path: Path, *, any_body_part: bool) -> Task[HeaderFacts]:
    """Return the task of `read_header`."""
    return Task(read_header, path, {"any_body_part": any_body_part}, lambda answer, _: HeaderFacts(**answer))


def image_task(path: Path, spec: ImageSpec, *, any_body_part: bool, any_pixels: bool) -> Task[DecodedImage]:
    """Return the task of `read_image`."""

    def result_from(answer: dict[str, Any], parts: Sequence[bytes]) -> DecodedImage:
        shape = (spec.size, spec.size) if spec.mode == "L" else (spec.size, spec.size, 3)
        pixels = np.frombuffer(parts[0], np.uint8).reshape(shape)
        rendering = Rendering(pixels, parts[1] if len(parts) > 1 else None)
        return DecodedImage(HeaderFacts(**answer["header"]), rendering, answer["grayscale"])

    options = {"spec": spec, "any_body_part": any_body_part, "any_pixels": any_pixels}
    return Task(read_image, path, options, result_from)


def view_task(path: Path, options: DisplayOptions) -> Task[ImageView]:
    """Return the task of `render_view`."""

    def result_from(answer: dict[str, Any], parts: Sequence[bytes]) -> ImageView:
        made: dict[str, Any] = {"data": parts[0], "header": HeaderFacts(**answer["header"])}
        return ImageView(**answer | made)

    return Task(render_view, path, {"options": options}, result_from)


def values_task(path: Path) -> Task[StoredValues]:
    """Return the task of `read_values`."""
    return Task(read_values, path, {}, _stored_values)


def _stored_values(answer: dict[str, Any], parts: Sequence[bytes]) -> StoredValues:
    header, transform, padding = HeaderFacts(**answer["header"]), answer["modality_transform"], answer["padding"]
    made: dict[str, Any] = {
        "header": header,
        "offset_values": np.frombuffer(parts[0], np.uint16).reshape(header.rows, header.columns),
        "modality_transform": tuple(transform) if transform else np.frombuffer(parts[1], np.float64),
        "gray_by_offset": np.frombuffer(parts[-1], np.uint8),
        "presets": tuple(Window(**each) for each in answer["presets"]),
        "padding": padding and tuple(padding),
    }
    return StoredValues(**answer | made)


def document_task(path: Path) -> Task[ReportDocument]:
    """Return the task of `read_document`; it is always run in a worker."""
    return Task(read_document, path, {}, lambda answer, _: ReportDocument(**answer))


def run_message(message: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Run the task of a message; return its result as JSON values, and its arrays and encoded images as bytes.

    Raises:
        ImageError: As the task does.
    """
    path, parts = Path(message["path"]), list[bytes]()
    match message["task"]:
        case "read_header":
            result = read_header(path, any_body_part=message["any_body_part"])
        case "read_image":
            flags = {name: message[name] for name in ("any_body_part", "any_pixels")}
            result = read_image(path, ImageSpec(**message["spec"]), **flags)
        case "render_view":
            region = message["options"]["region"]
            result = render_view(path, DisplayOptions(**message["options"] | {"region": region and tuple(region)}))
        case "read_document":
            result = read_document(path)
        case _:
            result = read_values(path)
    return _to_json(result, parts), parts


def _to_json(value: Any, parts: list[bytes]) -> Any:  # noqa: ANN401 # of any result
    """Return `value` as JSON values; its arrays and encoded images are moved to `parts`, and are None there."""
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    if isinstance(value, bytes):
        parts.append(value)
        return None
    if isinstance(value, tuple):
        return [_to_json(each, parts) for each in cast("tuple[Any, ...]", value)]
    if is_dataclass(value):
        return {field.name: _to_json(getattr(value, field.name), parts) for field in fields(value)}
    return value
