"""Folders as people get them: each is recognized, and what it says is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcp_cxr.embeddings.local._encoder import Encoder, describe_encoder
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.errors import EmbeddingRejected
from tests.support.encoders import SIZE, TinyEncoder, open_clip_encoder

TEXTS = ["left pleural effusion", "no effusion and the lungs is clear and the heart is normal size"]


def loaded(folder: Path) -> Encoder:
    return Encoder(describe_encoder(folder), SessionOptions(threads=1))


def images() -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(0, 256, (SIZE, SIZE), np.uint8) for n in range(3)]


BERT = {"model_type": "vision-text-dual-encoder", "text_config": {"max_position_embeddings": 512}}
VARIANTS = {
    "Hugging Face": TinyEncoder(),
    "open_clip": open_clip_encoder(),
    "int32 tokens": TinyEncoder(ids_type=TensorProto.INT32),
    "float16": TinyEncoder(float16=True),
    "int8 names": TinyEncoder(vision_name="vision_model_int8", text_name="text_model_int8"),
    "quantized names": TinyEncoder(vision_name="vision_model_quantized", text_name="text_model_quantized"),
    "external data": TinyEncoder(external=True),
    "pooler output": TinyEncoder(image_output="pooler_output", text_output="pooler_output"),
    "any name of the only vector": TinyEncoder(image_output="z1", text_output="z2"),
    "BERT of 256 tokens": TinyEncoder(
        types=True, config=BERT, tokenizer_config={"pad_token": "[PAD]", "model_max_length": 256}
    ),
    "a fixed length": TinyEncoder(sequence=9, mask=False),
    "one channel": TinyEncoder(
        channels=1,
        processor={"size": SIZE, "resample": 2, "image_mean": [0.5], "image_std": [0.25], "rescale_factor": 1 / 255},
    ),
}


@pytest.fixture(params=VARIANTS, ids=str)
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    return loaded(VARIANTS[request.param].write(tmp_path))


def test_each_kind_of_folder_gives_unit_vectors_of_images_and_texts(encoder: Encoder):
    for vectors in (encoder.embed_images(images()), encoder.embed_texts(TEXTS)):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == 8
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_a_text_gets_one_vector_in_any_batch(encoder: Encoder):
    together = encoder.embed_texts(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.embed_texts([text])[0], vector, atol=2e-3)


@pytest.mark.parametrize(
    ("encoder", "tokens", "is_padded"),
    [
        (TinyEncoder(), 12, False),
        (open_clip_encoder(), 12, True),
        (VARIANTS["BERT of 256 tokens"], 256, False),
        (VARIANTS["a fixed length"], 9, True),
        (TinyEncoder(mask=False), 12, True),
        (TinyEncoder(config={"model_type": "siglip"}), 12, True),
        (TinyEncoder(config={"model_type": "siglip"}, tokenizer_config={"pad_token": "[PAD]"}), 64, True),
        (TinyEncoder(config={"model_type": "clip"}, tokenizer_config={"pad_token": "[PAD]"}), 77, False),
    ],
)
def test_length_and_padding_are_those_of_the_folder(
    tmp_path: Path, encoder: TinyEncoder, tokens: int, *, is_padded: bool
):
    recipe = describe_encoder(encoder.write(tmp_path)).text_recipe
    assert (recipe.length, recipe.is_padded_to_length) == (tokens, is_padded)


def test_siglip_is_cleaned_as_its_tokenizer_says(tmp_path: Path):
    siglip = {"pad_token": "[PAD]", "model_max_length": 12, "tokenizer_class": "SiglipTokenizer"}
    encoder = loaded(TinyEncoder(tokenizer_config=siglip).write(tmp_path / "siglip"))
    plain = loaded(TinyEncoder().write(tmp_path / "clip"))
    assert encoder.tokenizer.tokens(["Left, PLEURAL (effusion)!"]) == plain.tokenizer.tokens(["left pleural effusion"])
    assert plain.tokenizer.tokens(["left, effusion"]) != plain.tokenizer.tokens(["left effusion"])


def test_images_are_squashed_although_the_processor_crops(tmp_path: Path):
    spec = describe_encoder(TinyEncoder().write(tmp_path)).image_recipe.spec
    assert (spec.size, spec.mode, spec.resampling) == (SIZE, "L", "bicubic")


def test_the_same_graphs_in_either_layout_are_one_encoder(tmp_path: Path):
    clip = TinyEncoder(mask=False, ids="text", image_output="embedding", text_output="embedding")
    one = clip.write(tmp_path / "one")
    as_open_clip = open_clip_encoder()
    as_open_clip.ids_type = TensorProto.INT64
    as_open_clip.config = {"text_cfg": {"context_length": 12}}
    two = as_open_clip.write(tmp_path / "two")
    assert (one / "onnx/text_model.onnx").read_bytes() == (two / "textual/model.onnx").read_bytes()
    assert describe_encoder(one).digest() == describe_encoder(two).digest()


@pytest.mark.parametrize(
    "other",
    [
        TinyEncoder(seed=1),
        TinyEncoder(processor=TinyEncoder().processor | {"resample": 2}),
        TinyEncoder(processor=TinyEncoder().processor | {"image_mean": [0.5, 0.5, 0.5]}),
        TinyEncoder(tokenizer_config={"pad_token": "[PAD]", "model_max_length": 10}),
    ],
    ids=["weights", "filter", "mean", "length"],
)
def test_another_recipe_or_weights_are_another_encoder(tmp_path: Path, other: TinyEncoder):
    digests = {
        describe_encoder(each.write(tmp_path / str(n))).digest() for n, each in enumerate((TinyEncoder(), other))
    }
    assert len(digests) == 2


def test_the_most_exact_variant_that_both_towers_have_is_taken(tmp_path: Path):
    TinyEncoder(vision_name="vision_model_fp16", text_name="text_model_fp16").write(tmp_path)
    TinyEncoder(vision_name="vision_model_int8", text_name="text_model").write(tmp_path)
    description = describe_encoder(tmp_path)
    assert (description.vision.path.name, description.text.path.name) == (
        "vision_model_fp16.onnx",
        "text_model_fp16.onnx",
    )


LACKS: dict[str, tuple[TinyEncoder, str]] = {
    "filter": (TinyEncoder(processor={**TinyEncoder().processor, "resample": None}), "resample in preprocessor_config"),
    "size": (
        TinyEncoder(processor={**TinyEncoder().processor, "crop_size": {"height": 32, "width": 16}}),
        "not square",
    ),
    "size of the graph": (TinyEncoder(processor={**TinyEncoder().processor, "crop_size": 32}), "graph expects 16"),
    "mean": (TinyEncoder(processor={**TinyEncoder().processor, "image_mean": [0.5, 0.5]}), "image_mean"),
    "pad token": (TinyEncoder(tokenizer_config={"model_max_length": 12}), "no pad_token"),
    "length": (
        TinyEncoder(config={}, tokenizer_config={"pad_token": "[PAD]", "model_max_length": 1e30}),
        "number of tokens",
    ),
    "one space": (TinyEncoder(text_dimension=6), "8 dimensions and texts 6"),
}


@pytest.mark.parametrize("what", LACKS)
def test_what_cannot_be_known_is_refused_by_name(tmp_path: Path, what: str):
    encoder, words = LACKS[what]
    with pytest.raises(EmbeddingRejected, match=words) as caught:
        describe_encoder(encoder.write(tmp_path))
    assert len(str(caught.value).split()) <= 35
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "onnx/text_model.onnx"],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    (TinyEncoder().write(tmp_path) / name).unlink()
    with pytest.raises(EmbeddingRejected, match=Path(name).name):
        describe_encoder(tmp_path)


def test_both_towers_in_one_graph_are_refused_with_the_way_out(tmp_path: Path):
    folder = TinyEncoder().write(tmp_path)
    (folder / "onnx/vision_model.onnx").rename(folder / "onnx/model.onnx")
    (folder / "onnx/text_model.onnx").unlink()
    with pytest.raises(EmbeddingRejected, match="holds both towers"):
        describe_encoder(folder)


def test_a_vector_does_not_depend_on_its_batch_when_scales_are_computed(tmp_path: Path):
    from mcp_cxr.embeddings import quantize_folder

    quantize_folder(TinyEncoder().write(tmp_path / "float"), tmp_path / "int8")
    encoder = loaded(tmp_path / "int8")
    assert encoder.description.vision.is_dynamically_quantized
    shown: list[Any] = [np.full((SIZE, SIZE), 3, np.uint8), np.full((SIZE, SIZE), 255, np.uint8), *images()]
    together = encoder.embed_images(shown)
    for image, vector in zip(shown, together, strict=True):
        np.testing.assert_array_equal(encoder.embed_images([image])[0], vector)
    texts = encoder.embed_texts(TEXTS)
    np.testing.assert_array_equal(encoder.embed_texts(TEXTS[:1])[0], texts[0])
