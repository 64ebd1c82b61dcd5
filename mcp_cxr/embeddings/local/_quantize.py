"""Writes a model folder whose weights are 8-bit integers: a quarter of the size, two to three times the speed."""

from __future__ import annotations

import logging
import secrets
import shutil
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.embeddings.local._encoder import describe_encoder
from mcp_cxr.embeddings.local._exporter_reference import REFERENCE_FILE
from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.errors import ConfigError, EmbeddingRejected

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.embeddings.local._onnx_graph import Graph

_COPIED_SUFFIXES: Final = (".json", ".md", ".txt", ".model")
_MAX_KEPT_BYTES: Final = 64 << 20


def quantize_folder(folder: Path, target: Path) -> None:
    """Write `folder` to `target` with both graphs quantized to int8. `target` appears whole, or not at all.

    The configuration and tokenizer are copied; `reference.npz` is too, so that `model check` says what was lost.

    Raises:
        ConfigError: `target` exists or cannot be written.
        EmbeddingRejected: The folder cannot be used, the package onnx is missing, or onnxruntime fails.
    """
    if target.exists():
        raise ConfigError(f"{target} exists; name a folder that does not.")
    description = describe_encoder(folder)
    if description.vision.is_dynamically_quantized or description.text.is_dynamically_quantized:
        raise folder_error("it is quantized already; start from the float32 export.")
    quantize = _quantizer()
    root, draft = description.files.root, target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _copy_small_files(root, draft)
        for graph in (description.vision, description.text):
            goal = draft / graph.path.relative_to(root)
            goal.parent.mkdir(parents=True, exist_ok=True)
            _quantize(quantize, graph, goal)
        draft.rename(target)
    except OSError as exc:
        raise ConfigError(f"{target} cannot be written ({exc.strerror}); name another folder.") from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy_small_files(root: Path, draft: Path) -> None:
    draft.mkdir(parents=True)
    for folder in (root, root / "textual", root / "visual"):
        for path in sorted(folder.glob("*")):
            is_small = path.is_file() and not path.is_symlink() and path.stat().st_size <= _MAX_KEPT_BYTES
            if is_small and (path.suffix in _COPIED_SUFFIXES or path.name == REFERENCE_FILE):
                goal = draft / path.relative_to(root)
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, goal)


def _quantizer() -> Any:  # noqa: ANN401 - the library has no types
    try:
        from onnxruntime import quantization  # pyright: ignore[reportMissingTypeStubs]  # loaded late: it loads onnx
    except ImportError as exc:
        raise EmbeddingRejected(
            "`model quantize` needs the packages onnxruntime and onnx; install them with "
            "`pip install 'mcp-cxr[local]' onnx`."
        ) from exc
    return quantization


def _quantize(library: Any, graph: Graph, goal: Path) -> None:  # noqa: ANN401 - the same
    """Quantize the products with weights, each output channel with its own scale."""
    logging.disable(logging.WARNING)  # it recommends a preparation that needs torch's symbolic shapes
    try:
        library.quantize_dynamic(
            str(graph.path),
            str(goal),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=library.QuantType.QInt8,
            use_external_data_format=bool(graph.external),
            extra_options={"DefaultTensorType": 1},
        )
    except Exception as exc:  # onnx and onnxruntime raise many kinds
        raise folder_error(f"{graph.path.name} cannot be quantized ({type(exc).__name__}); use it as it is.") from exc
    finally:
        logging.disable(logging.NOTSET)
