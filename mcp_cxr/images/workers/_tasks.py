"""Tasks that run in this process or in a worker, sent as JSON and answered with JSON and plain bytes.

Nothing is pickled: a worker that a malicious file has taken over can send a false image, but no code.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from mcp_cxr.images._read import DecodedImage, read_header, read_image, render_view
from mcp_cxr.images._stored_values import StoredValues, read_values
from mcp_cxr.images.dicom import HeaderFacts, Preset, Window
from mcp_cxr.images.render import ImageView, ViewOptions
from mcp_cxr.records import ImageSpec, Rendering

if TYPE_CHECKING:
    from collections.abc import Sequence

Result_co = TypeVar("Result_co", covariant=True)


class Task(Protocol[Result_co]):
    """Reads one file in one way."""

    def run(self, *, plain_only: bool = False) -> Result_co:
        """Run the task in this process; see `read_image`."""
        ...

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker, as JSON values."""
        ...

    def result_from(self, facts: dict[str, Any], parts: Sequence[bytes]) -> Result_co:
        """Return the result from the facts and bytes of a worker's answer."""
        ...


@dataclass(frozen=True, slots=True)
class HeaderTask:
    """As `read_header`."""

    path: Path
    any_body_part: bool

    def run(self, *, plain_only: bool = False) -> HeaderFacts:
        """Run the task in this process."""
        return read_header(self.path, any_body_part=self.any_body_part, plain_only=plain_only)

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker."""
        return {"task": "header", "path": os.fspath(self.path), "any_body_part": self.any_body_part}

    def result_from(self, facts: dict[str, Any], parts: Sequence[bytes]) -> HeaderFacts:
        """Return the result."""
        return HeaderFacts(**facts)


@dataclass(frozen=True, slots=True)
class ImageTask:
    """As `read_image`."""

    path: Path
    spec: ImageSpec
    any_body_part: bool

    def run(self, *, plain_only: bool = False) -> DecodedImage:
        """Run the task in this process."""
        return read_image(self.path, self.spec, any_body_part=self.any_body_part, plain_only=plain_only)

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker."""
        path = os.fspath(self.path)
        return {"task": "image", "path": path, "spec": asdict(self.spec), "any_body_part": self.any_body_part}

    def result_from(self, facts: dict[str, Any], parts: Sequence[bytes]) -> DecodedImage:
        """Return the result."""
        shape = (self.spec.size, self.spec.size) if self.spec.mode == "L" else (self.spec.size, self.spec.size, 3)
        pixels = np.frombuffer(parts[0], np.uint8).reshape(shape)
        picture = Rendering(pixels, parts[1] if len(parts) > 1 else None)
        return DecodedImage(HeaderFacts(**facts["header"]), picture, facts["grayscale"])


@dataclass(frozen=True, slots=True)
class ViewTask:
    """As `render_view`."""

    path: Path
    options: ViewOptions

    def run(self, *, plain_only: bool = False) -> ImageView:
        """Run the task in this process."""
        return render_view(self.path, self.options, plain_only=plain_only)

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker."""
        return {"task": "view", "path": os.fspath(self.path), "viewing": asdict(self.options)}

    def result_from(self, facts: dict[str, Any], parts: Sequence[bytes]) -> ImageView:
        """Return the result."""
        header = HeaderFacts(**facts.pop("header"))
        return ImageView(data=parts[0], header=header, **facts)


@dataclass(frozen=True, slots=True)
class ValuesTask:
    """As `read_values`."""

    path: Path

    def run(self, *, plain_only: bool = False) -> StoredValues:
        """Run the task in this process."""
        return read_values(self.path, plain_only=plain_only)

    def to_message(self) -> dict[str, Any]:
        """Return the message for a worker."""
        return {"task": "values", "path": os.fspath(self.path)}

    def result_from(self, facts: dict[str, Any], parts: Sequence[bytes]) -> StoredValues:
        """Return the result."""
        header = HeaderFacts(**facts.pop("header"))
        presets = tuple(Preset(name, Window(**window)) for name, window in facts.pop("presets"))
        padding, modality_transform = facts.pop("padding"), facts.pop("modality_transform")
        return StoredValues(
            header=header,
            pixels=np.frombuffer(parts[0], np.uint16).reshape(header.rows, header.columns),
            default_grays=np.frombuffer(parts[1], np.uint8),
            modality_transform=tuple(modality_transform) if modality_transform else np.frombuffer(parts[2], np.float64),
            presets=presets,
            padding=padding and tuple(padding),
            **facts,
        )


def _values_message(image: StoredValues) -> tuple[dict[str, Any], list[bytes]]:
    parts = [image.pixels.tobytes(), image.default_grays.tobytes()]
    modality_transform = image.modality_transform if isinstance(image.modality_transform, tuple) else None
    if not isinstance(image.modality_transform, tuple):
        parts.append(image.modality_transform.tobytes())
    facts = {
        "header": asdict(image.header),
        "low": image.low,
        "modality_transform": modality_transform,
        "grayscale": image.grayscale,
        "presets": [(preset.name, asdict(preset.window)) for preset in image.presets],
        "inverse": image.inverse,
        "padding": image.padding,
    }
    return facts, parts


def run_message(message: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Run the task of a message; return its facts as JSON values, and its arrays and encoded images as bytes.

    Raises:
        ImageError: As the task does.
    """
    path = Path(message["path"])
    match message["task"]:
        case "header":
            return asdict(HeaderTask(path, message["any_body_part"]).run()), []
        case "image":
            image = ImageTask(path, ImageSpec(**message["spec"]), message["any_body_part"]).run()
            parts = [
                image.rendering.pixels.tobytes(),
                *([image.rendering.jpeg] if image.rendering.jpeg is not None else []),
            ]
            return {"header": asdict(image.header), "grayscale": image.grayscale}, parts
        case "values":
            return _values_message(ValuesTask(path).run())
        case _:
            region = message["viewing"]["region"]
            view = ViewTask(path, ViewOptions(**(message["viewing"] | {"region": region and tuple(region)}))).run()
            facts = {"mime_type": view.mime_type, "width": view.width, "height": view.height}
            return facts | {"grayscale": view.grayscale, "header": asdict(view.header)}, [view.data]
