"""Finds the files of an encoder in a model folder, and reads them with bounds. The folder is untrusted."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

Layout = Literal["Hugging Face", "open_clip"]

_MAX_JSON_BYTES: Final = 8 << 20
MAX_TOKENIZER_BYTES: Final = 64 << 20
"""SigLIP 2's, of 256,000 pieces, has 34 MB."""
MAX_GRAPH_BYTES: Final = 2 << 30
"""What protobuf allows; larger weights are external data."""
MAX_WEIGHT_BYTES: Final = 32 << 30
"""All graphs and external data of a folder together."""
_VARIANTS: Final = ("", "_fp16", "_int8", "_quantized", "_uint8", "_q4", "_q4f16", "_bnb4")
"""Suffixes of transformers.js and optimum, the most exact first."""


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """Where the parts of an encoder are, and what its configuration files say."""

    root: Path
    """Resolved."""
    layout: Layout
    vision: Path
    text: Path
    tokenizer: Path
    config: dict[str, Any]
    tokenizer_config: dict[str, Any]
    processor: dict[str, Any]
    sources: dict[str, str]
    """What was read from which file, for people."""

    @property
    def is_demo_encoder(self) -> bool:
        """Whether the folder says that it was trained on this project's drawings."""
        mark = self.config.get("mcp_cxr")
        return isinstance(mark, dict) and bool(cast("dict[str, Any]", mark).get("demo_encoder"))


def folder_error(what: str) -> EmbeddingRejected:
    """Return the error for a folder that cannot be used.

    Args:
        what: What is wrong with which file, and what to do.
    """
    return EmbeddingRejected(f"The model folder cannot be used: {what}")


def find_encoder(folder: Path) -> EncoderFiles:
    """Return the files of the encoder in a folder of Hugging Face's or open_clip's layout.

    Raises:
        EmbeddingRejected: A file is missing, too large, no JSON or a link.
    """
    try:
        root = folder.resolve(strict=True)
    except OSError as exc:
        raise folder_error(f"there is no {folder}; correct its path.") from exc
    except RuntimeError as exc:  # links that go in a circle, before Python 3.13
        raise folder_error(f"{folder} is a link to itself; name the folder itself.") from exc
    try:
        if not root.is_dir():
            raise folder_error(f"{root} is not a folder; name the folder of the model.")
        return _open_clip(root) if (root / "visual").is_dir() else _hugging_face(root)
    except PermissionError as exc:
        raise folder_error(f"{root} may not be read by this user; change its permissions.") from exc


def _hugging_face(root: Path) -> EncoderFiles:
    vision, text = _graphs(root)
    configs = {name: read_json(root, name) for name in ("config.json", "tokenizer_config.json")}
    processor, source = _processor(root)
    return EncoderFiles(
        root=root,
        layout="Hugging Face",
        vision=vision,
        text=text,
        tokenizer=_required(root, "tokenizer.json"),
        config=configs["config.json"],
        tokenizer_config=configs["tokenizer_config.json"],
        processor=processor,
        sources=_sources(root, vision, text, processor=source, tokenizer="tokenizer.json", config="config.json"),
    )


def _open_clip(root: Path) -> EncoderFiles:
    vision, text = _required(root, "visual/model.onnx"), _required(root, "textual/model.onnx")
    processor, tokenizer = "visual/preprocess_cfg.json", "textual/tokenizer.json"
    return EncoderFiles(
        root=root,
        layout="open_clip",
        vision=vision,
        text=text,
        tokenizer=_required(root, tokenizer),
        config=read_json(root, "config.json"),
        tokenizer_config=read_json(root, "textual/tokenizer_config.json"),
        processor=read_json(root, processor),
        sources=_sources(root, vision, text, processor=processor, tokenizer=tokenizer, config="config.json"),
    )


def _sources(root: Path, vision: Path, text: Path, **names: str) -> dict[str, str]:
    graphs = {"image graph": vision, "text graph": text}
    return {what: path.relative_to(root).as_posix() for what, path in graphs.items()} | names


def _graphs(root: Path) -> tuple[Path, Path]:
    """Return both graphs: of the most exact variant that both have, else the most exact of each."""
    for folder in (root / "onnx", root):
        vision, text = _variants(folder, "vision_model"), _variants(folder, "text_model")
        if not vision and not text:
            continue
        for found, name in ((vision, "vision_model"), (text, "text_model")):
            if not found:
                where = folder.relative_to(root).as_posix()
                raise folder_error(f"{where} has no {name}.onnx; export both towers (docs/models.md).")
        common = [suffix for suffix in vision if suffix in text]
        first = common[0] if common else None
        return vision[first or next(iter(vision))], text[first or next(iter(text))]
    if (root / "onnx/model.onnx").exists() or (root / "model.onnx").exists():
        raise folder_error("model.onnx holds both towers; export vision_model.onnx and text_model.onnx instead.")
    raise folder_error(f"{root} has neither onnx/vision_model.onnx nor visual/model.onnx; see docs/models.md.")


def _variants(folder: Path, stem: str) -> dict[str, Path]:
    """Return the graphs of a tower by suffix, the most exact first."""
    found = {path.name.removeprefix(stem).removesuffix(".onnx"): path for path in folder.glob(f"{stem}*.onnx")}
    known = {suffix: found[suffix] for suffix in _VARIANTS if suffix in found}
    return known or dict(sorted(found.items()))


def _processor(root: Path) -> tuple[dict[str, Any], str]:
    if (root / "preprocessor_config.json").exists():
        return read_json(root, "preprocessor_config.json"), "preprocessor_config.json"
    if (root / "processor_config.json").exists():  # since transformers 5
        nested = read_json(root, "processor_config.json").get("image_processor")
        if isinstance(nested, dict):
            return cast("dict[str, Any]", nested), "processor_config.json"
    raise folder_error("preprocessor_config.json is missing; it says how images are resized. Copy it from the model.")


def _required(root: Path, name: str) -> Path:
    path = root / name
    if not path.exists():
        raise folder_error(f"{name} is missing; copy it from the model, or export again (docs/models.md).")
    return path


def read_json(root: Path, name: str) -> dict[str, Any]:
    """Return the object in a small JSON file.

    Raises:
        EmbeddingRejected: It is missing, too large, or no JSON object.
    """
    try:
        value = json.loads(read_bounded(_required(root, name), _MAX_JSON_BYTES))
    except (ValueError, RecursionError) as exc:
        raise folder_error(f"{name} is not JSON; copy it again.") from exc
    if not isinstance(value, dict):
        raise folder_error(f"{name} holds no JSON object; copy it again.")
    return cast("dict[str, Any]", value)


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        EmbeddingRejected: It is larger than `max_bytes`, a link, no regular file, or cannot be read.
    """
    with open_model_file(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise folder_error(f"{path.name} is larger than {max_bytes >> 20} MB; is it the right file?")
    return data


def open_model_file(path: Path) -> BufferedReader:
    """Open a file of the folder.

    Raises:
        EmbeddingRejected: It is a link, no regular file, missing, or cannot be read.
    """
    try:
        return open_without_links(path)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise folder_error(
                f"{path.name} is a link, as in a hub's cache; copy the folder with `cp -rL` and name the copy."
            ) from exc
        raise folder_error(f"{path.name} cannot be read ({exc.strerror}); copy it again.") from exc


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with open_model_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamps(paths: tuple[Path, ...]) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and modification time in ns of each file; equal ones were not changed."""
    for path in paths:
        status = path.lstat()
        yield str(path), status.st_size, status.st_mtime_ns
