"""Tiny encoders of random weights, as ONNX graphs in a model folder, of any layout, type and fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("left", "right", "pleural", "effusion", "normal", "heart", "size", "clear", "lungs", "the", "and", "no", "is")
SIZE = 16


@dataclass
class TinyEncoder:
    """What the folder is like; the defaults are an ordinary one of Hugging Face's layout."""

    layout: str = "Hugging Face"
    dimension: int = 8
    text_dimension: int = 8
    seed: int = 0
    vision_name: str = "vision_model"
    text_name: str = "text_model"
    image_output: str = "image_embeds"
    text_output: str = "text_embeds"
    ids: str = "input_ids"
    ids_type: int = TensorProto.INT64
    sequence: int | str = "sequence"
    mask: bool = True
    types: bool = False
    float16: bool = False
    channels: int = 3
    external: bool = False
    words: int = len(WORDS) + 2
    """Rows of the embedding."""
    config: dict[str, Any] = field(
        default_factory=lambda: {"model_type": "clip", "text_config": {"max_position_embeddings": 12}}
    )
    tokenizer_config: dict[str, Any] = field(default_factory=lambda: {"pad_token": "[PAD]", "model_max_length": 12})
    processor: dict[str, Any] = field(
        default_factory=lambda: {
            "size": {"shortest_edge": SIZE},
            "crop_size": {"height": SIZE, "width": SIZE},
            "do_center_crop": True,
            "resample": 3,
            "rescale_factor": 1 / 255,
            "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2, 0.3, 0.4],
        }
    )

    def write(self, folder: Path) -> Path:
        """Write the folder and return it."""
        open_clip = self.layout == "open_clip"
        text_folder = folder / "textual" if open_clip else folder
        vision = folder / ("visual/model.onnx" if open_clip else f"onnx/{self.vision_name}.onnx")
        text = folder / ("textual/model.onnx" if open_clip else f"onnx/{self.text_name}.onnx")
        for path, model in ((vision, self.vision()), (text, self.text())):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.save(model, path)
        write_json(folder / "config.json", self.config)
        write_json(folder / ("visual/preprocess_cfg.json" if open_clip else "preprocessor_config.json"), self.processor)
        write_json(text_folder / "tokenizer_config.json", self.tokenizer_config)
        write_json(text_folder / "tokenizer.json", tokenizer())
        return folder

    def save(self, model: onnx.ModelProto, path: Path) -> None:
        options: dict[str, Any] = {
            "save_as_external_data": True,
            "location": f"{path.name}_data",
            "size_threshold": 256,
        }
        onnx.save(model, path, **(options if self.external else {}))

    @property
    def _float(self) -> int:
        return TensorProto.FLOAT16 if self.float16 else TensorProto.FLOAT

    def _weights(self, name: str, seed: int, *shape: int) -> onnx.TensorProto:
        values = np.random.default_rng(self.seed * 100 + seed).normal(0, 1, shape)
        return numpy_helper.from_array(values.astype(np.float16 if self.float16 else np.float32), name)

    def vision(self, *more: onnx.NodeProto) -> onnx.ModelProto:
        inside = self.channels * SIZE * SIZE
        shape = ["batch", self.channels, SIZE, SIZE]
        nodes = [
            helper.make_node("Flatten", ["pixel_values"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], [self.image_output]),
            *more,
        ]
        return model_of(
            nodes,
            [helper.make_tensor_value_info("pixel_values", self._float, shape)],
            [helper.make_tensor_value_info(self.image_output, self._float, ["batch", self.dimension])],
            [self._weights("w", 1, inside, self.dimension)],
        )

    def text(self) -> onnx.ModelProto:
        names = [self.ids, *(["attention_mask"] if self.mask else []), *(["token_type_ids"] if self.types else [])]
        nodes = [helper.make_node("Gather", ["table", self.ids], ["vectors"])]
        last = "vectors"
        if self.types:
            nodes += [
                helper.make_node("Gather", ["kinds", "token_type_ids"], ["kind_vectors"]),
                helper.make_node("Add", [last, "kind_vectors"], ["typed"]),
            ]
            last = "typed"
        if self.mask:
            nodes += [
                helper.make_node("Cast", ["attention_mask"], ["mask"], to=self._float),
                helper.make_node("Unsqueeze", ["mask", "last_axis"], ["wide"]),
                helper.make_node("Mul", [last, "wide"], ["masked"]),
            ]
            last = "masked"
        nodes += [
            helper.make_node("ReduceSum", [last, "middle_axis"], ["sum"], keepdims=0),
            helper.make_node("MatMul", ["sum", "v"], [self.text_output]),
        ]
        return model_of(
            nodes,
            [helper.make_tensor_value_info(name, self.ids_type, ["batch", self.sequence]) for name in names],
            [helper.make_tensor_value_info(self.text_output, self._float, ["batch", self.text_dimension])],
            [
                self._weights("table", 2, self.words, 6),
                self._weights("kinds", 3, 2, 6),
                self._weights("v", 4, 6, self.text_dimension),
                numpy_helper.from_array(np.array([2], np.int64), "last_axis"),
                numpy_helper.from_array(np.array([1], np.int64), "middle_axis"),
            ],
        )


def open_clip_encoder(**changes: Any) -> TinyEncoder:
    """Return one as immich exports it."""
    return TinyEncoder(
        layout="open_clip",
        ids="text",
        ids_type=TensorProto.INT32,
        mask=False,
        image_output="embedding",
        text_output="embedding",
        config={"text_cfg": {"context_length": 12, "tokenizer_kwargs": {"clean": "canonicalize"}}},
        processor={
            "size": [SIZE, SIZE],
            "mode": "RGB",
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.3, 0.4],
            "interpolation": "bicubic",
            "resize_mode": "squash",
            "fill_color": 0,
        },
        **changes,
    )


def model_of(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> onnx.ModelProto:
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(nodes, "g", inputs, outputs, [each for each in weights if each.name in used])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def tokenizer() -> dict[str, Any]:
    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {word: n for n, word in enumerate(WORDS, 2)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
