"""One encoder of a model folder: what was recognized, its digest, and its two graphs, loaded when first used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mcp_cxr.embeddings.local._image_recipe import ImageRecipe, image_recipe
from mcp_cxr.embeddings.local._model_files import digest_of, find_encoder, folder_error
from mcp_cxr.embeddings.local._onnx_graph import inspect_graph
from mcp_cxr.embeddings.local._onnx_sessions import Session, SessionOptions
from mcp_cxr.embeddings.local._text_recipe import TextRecipe, TextTokenizer, text_recipe
from mcp_cxr.errors import EmbeddingRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.embeddings.local._model_files import EncoderFiles
    from mcp_cxr.embeddings.local._onnx_graph import Graph, TensorInfo
    from mcp_cxr.records import Vectors

T = TypeVar("T")

_OUTPUTS = ("image_embeds", "text_embeds", "pooler_output", "embedding", "embeddings", "output")
"""Names of the vector, the projected ones first: a tower may also put out what it was before the projection."""
_VECTOR_DIMENSIONS = 2


@dataclass(frozen=True, slots=True)
class EncoderDescription:
    """What a folder was recognized as, without loading it."""

    files: EncoderFiles
    vision: Graph
    text: Graph
    image_recipe: ImageRecipe
    text_recipe: TextRecipe
    image_output: TensorInfo
    text_output: TensorInfo

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The files whose content decides about the vectors."""
        return (*self.vision.files, *self.text.files, self.files.tokenizer)

    @property
    def weight_bytes(self) -> int:
        """Bytes of graphs and external data."""
        return sum(path.stat().st_size for path in self.all_files[:-1])

    def digest(self, file_digest: Callable[[Path], str] = digest_of) -> str:
        """Return what is equal for two folders if they make the same vectors from the same files.

        The layout and the names of files do not count.

        Args:
            file_digest: Returns the SHA-256 of a file.
        """
        recipe = self.image_recipe
        text = self.text_recipe
        parts = [
            *(" ".join(map(file_digest, graph.files)) for graph in (self.vision, self.text)),
            file_digest(self.files.tokenizer),
            f"{recipe.size} {recipe.resampling} {np.float32(recipe.scale)}",
            *(" ".join(str(np.float32(value)) for value in values) for values in (recipe.mean, recipe.std)),
            f"{text.description} {text.pad_token} {text.masks_padding}",
            f"{self.image_output.name} {self.text_output.name}",
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def describe_encoder(folder: Path) -> EncoderDescription:
    """Return what a model folder holds; nothing is loaded, so that a hostile folder can do nothing yet.

    Raises:
        EmbeddingRejected: A file is missing, damaged or not allowed, or what it takes to use it is not said.
    """
    files = find_encoder(folder)
    vision, text = inspect_graph(files.vision), inspect_graph(files.text)
    if len(vision.inputs) != 1:
        raise folder_error(f"the image graph has {len(vision.inputs)} inputs; it must have one, the images.")
    description = EncoderDescription(
        files=files,
        vision=vision,
        text=text,
        image_recipe=image_recipe(files, vision.inputs[0]),
        text_recipe=text_recipe(files, text.inputs),
        image_output=_vector_output(vision, "image"),
        text_output=_vector_output(text, "text"),
    )
    outputs = (description.image_output, description.text_output)
    images, texts = (output.shape[-1] if output.shape else None for output in outputs)
    if images and texts and images != texts:
        raise folder_error(f"images get {images} dimensions and texts {texts}; copy both graphs from one model.")
    return description


def _vector_output(graph: Graph, kind: str) -> TensorInfo:
    by_name = {output.name: output for output in graph.outputs}
    for name in _OUTPUTS:
        if name in by_name and len(by_name[name].shape) in {0, _VECTOR_DIMENSIONS}:
            return by_name[name]
    flat = [output for output in graph.outputs if len(output.shape) == _VECTOR_DIMENSIONS]
    if len(flat) != 1:
        names = ", ".join(sorted(by_name))[:80]
        raise folder_error(f"the {kind} graph has no single output that is a vector, but {names}; export it again.")
    return flat[0]


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """What a model folder was recognized as, for people."""

    layout: str
    files: dict[str, str]
    """What was read from which file."""
    images: str
    texts: str
    weight_bytes: int
    is_demo_encoder: bool


def describe_folder(folder: Path) -> FolderSummary:
    """Return what a model folder was recognized as; nothing is loaded.

    Raises:
        EmbeddingRejected: As `describe_encoder`.
    """
    found = describe_encoder(folder)
    recipe, spec = found.image_recipe, found.image_recipe.spec
    kinds = {each.dtype for each in (found.vision.inputs[0], found.image_output)}
    quantized = ", int8" if found.vision.is_dynamically_quantized else ""
    return FolderSummary(
        layout=found.files.layout,
        files=found.files.sources,
        images=f"{spec.size} x {spec.size} pixels, squashed, {spec.resampling}, {len(recipe.mean)} channels, "
        f"{' and '.join(sorted(kinds))}{quantized}",
        texts=found.text_recipe.description,
        weight_bytes=found.weight_bytes,
        is_demo_encoder=found.files.is_demo_encoder,
    )


class Encoder:
    """The two towers of a description. Its methods block, for use in a thread; loading is done once, when needed.

    Raises:
        EmbeddingRejected: From every method: a graph or the tokenizer cannot be loaded, or fails on its input.
    """

    def __init__(self, description: EncoderDescription, options: SessionOptions) -> None:
        self.description = description
        self._options = options

    @cached_property
    def _vision(self) -> Session:
        return Session(self.description.vision, self.description.image_output.name, self._options)

    @cached_property
    def _text(self) -> Session:
        return Session(self.description.text, self.description.text_output.name, self._options)

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer."""
        return TextTokenizer(self.description.files, self.description.text_recipe)

    def load_images(self) -> None:
        """Load the image graph, if it is not loaded yet."""
        _ = self._vision

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Return float32, shape (n, dimension), unit length; a row that is not finite is the image's own fault.

        Args:
            images: Each uint8, shape (size, size).
        """
        graph_input, recipe = self.description.vision.inputs[0], self.description.image_recipe
        return self._run(
            self._vision, images, lambda batch: {graph_input.name: recipe.tensor(batch, graph_input.dtype)}
        )

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (n, dimension), unit length."""
        return self._run(self._text, texts, self.tokenizer.inputs)

    def embed_highest_token(self) -> None:
        """Embed the highest token id of the tokenizer, which a graph of another vocabulary does not have."""
        inputs = self.tokenizer.inputs(["a"])
        ids = inputs[self.description.text_recipe.ids_input.name]
        ids[:] = self.tokenizer.highest_id
        try:
            self._text.run(inputs)
        except EmbeddingRejected as exc:
            raise folder_error("tokenizer.json has more tokens than the text graph; copy both from one model.") from exc

    def _run(
        self, session: Session, items: Sequence[T], to_inputs: Callable[[Sequence[T]], dict[str, NDArray[Any]]]
    ) -> Vectors:
        """Run a batch, or, if the graph's numbers depend on the whole batch, padding included, one after the other."""
        batches = [items[n : n + 1] for n in range(len(items))] if session.runs_one_by_one else [items]
        vectors = np.concatenate([session.run(to_inputs(batch)) for batch in batches])
        with np.errstate(all="ignore"):  # zero or infinite: the caller looks for rows that are not finite
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
