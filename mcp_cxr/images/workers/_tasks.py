"""What a worker process can be asked: each task does its work here or there, and crosses over as JSON and plain bytes.

Nothing is pickled: a worker that a malicious file has taken over can send a false picture, but no code.
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
    """One file to be read, one way."""

    def run(self, *, plain_only: bool = False) -> Result_co:
        """Do it in this process; see `read_image`."""
        ...

    def told(self) -> dict[str, Any]:
        """Return what a worker must know, fit for JSON."""
        ...

    def answered(self, facts: dict[str, Any], parts: Sequence[bytes]) -> Result_co:
        """Return the result that a worker's `answer` describes."""
        ...


@dataclass(frozen=True, slots=True)
class HeaderTask:
    """As `read_header`."""

    path: Path
    any_body_part: bool

    def run(self, *, plain_only: bool = False) -> HeaderFacts:
        """Do it in this process."""
        return read_header(self.path, any_body_part=self.any_body_part, plain_only=plain_only)

    def told(self) -> dict[str, Any]:
        """Return what a worker must know."""
        return {"task": "header", "path": os.fspath(self.path), "any_body_part": self.any_body_part}

    def answered(self, facts: dict[str, Any], parts: Sequence[bytes]) -> HeaderFacts:
        """Return the result."""
        return HeaderFacts(**facts)


@dataclass(frozen=True, slots=True)
class FilmTask:
    """As `read_image`."""

    path: Path
    spec: ImageSpec
    any_body_part: bool

    def run(self, *, plain_only: bool = False) -> DecodedImage:
        """Do it in this process."""
        return read_image(self.path, self.spec, any_body_part=self.any_body_part, plain_only=plain_only)

    def told(self) -> dict[str, Any]:
        """Return what a worker must know."""
        path = os.fspath(self.path)
        return {"task": "film", "path": path, "spec": asdict(self.spec), "any_body_part": self.any_body_part}

    def answered(self, facts: dict[str, Any], parts: Sequence[bytes]) -> DecodedImage:
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
        """Do it in this process."""
        return render_view(self.path, self.options, plain_only=plain_only)

    def told(self) -> dict[str, Any]:
        """Return what a worker must know."""
        return {"task": "view", "path": os.fspath(self.path), "viewing": asdict(self.options)}

    def answered(self, facts: dict[str, Any], parts: Sequence[bytes]) -> ImageView:
        """Return the result."""
        header = HeaderFacts(**facts.pop("header"))
        return ImageView(data=parts[0], header=header, **facts)


@dataclass(frozen=True, slots=True)
class ValuesTask:
    """As `read_values`."""

    path: Path

    def run(self, *, plain_only: bool = False) -> StoredValues:
        """Do it in this process."""
        return read_values(self.path, plain_only=plain_only)

    def told(self) -> dict[str, Any]:
        """Return what a worker must know."""
        return {"task": "values", "path": os.fspath(self.path)}

    def answered(self, facts: dict[str, Any], parts: Sequence[bytes]) -> StoredValues:
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


def _answered_values(film: StoredValues) -> tuple[dict[str, Any], list[bytes]]:
    parts = [film.pixels.tobytes(), film.default_grays.tobytes()]
    modality_transform = film.modality_transform if isinstance(film.modality_transform, tuple) else None
    if not isinstance(film.modality_transform, tuple):
        parts.append(film.modality_transform.tobytes())
    facts = {
        "header": asdict(film.header),
        "low": film.low,
        "modality_transform": modality_transform,
        "grayscale": film.grayscale,
        "presets": [(preset.name, asdict(preset.window)) for preset in film.presets],
        "inverse": film.inverse,
        "padding": film.padding,
    }
    return facts, parts


def answer(told: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Do a task as a worker: return facts fit for JSON, and what is better sent as it is.

    Raises:
        ImageError: As the task does.
    """
    path = Path(told["path"])
    match told["task"]:
        case "header":
            return asdict(HeaderTask(path, told["any_body_part"]).run()), []
        case "film":
            film = FilmTask(path, ImageSpec(**told["spec"]), told["any_body_part"]).run()
            parts = [
                film.rendering.pixels.tobytes(),
                *([film.rendering.jpeg] if film.rendering.jpeg is not None else []),
            ]
            return {"header": asdict(film.header), "grayscale": film.grayscale}, parts
        case "values":
            return _answered_values(ValuesTask(path).run())
        case _:
            region = told["viewing"]["region"]
            view = ViewTask(path, ViewOptions(**(told["viewing"] | {"region": region and tuple(region)}))).run()
            facts = {"mime_type": view.mime_type, "width": view.width, "height": view.height}
            return facts | {"grayscale": view.grayscale, "header": asdict(view.header)}, [view.data]
