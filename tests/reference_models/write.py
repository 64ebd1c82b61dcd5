"""Writes `clip/` and `siglip/`: small encoders of random weights, and what transformers makes of drawings and texts.

Run once, in an environment of its own: `pip install torch transformers onnx sentencepiece protobuf pillow`, then
`python tests/reference_models/write.py`. The tests compare with what it wrote; they need none of these packages.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    CLIPTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTokenizer,
)

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts")]

from drawn import TEXTS, drawn_images  # noqa: E402
from export_encoder import export_transformers, squashed  # noqa: E402

SIZE = 48
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
KEPT_PIXELS = 8


def clip_tokenizer(folder):
    """Return transformers' tokenizer of CLIP over the vocabulary of the folder, or else one trained on the texts."""
    merges, vocabulary = _kept_vocabulary(folder / "tokenizer.json") or _trained_vocabulary()
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*bytes_, *(f"{byte}</w>" for byte in bytes_), *("".join(line.split()) for line in merges)]
    pieces = list(dict.fromkeys([*pieces, *vocabulary, "<|startoftext|>", "<|endoftext|>"]))
    (folder / "vocab.json").write_text(json.dumps({piece: n for n, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    names = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    return CLIPTokenizerFast(*names, model_max_length=77), CLIPTokenizer(*names, model_max_length=77), len(pieces)


def _kept_vocabulary(path):
    """Return merges and pieces of a tokenizer that was written before: of equally frequent pairs, training takes any."""
    if not path.exists():
        return None
    model = json.loads(path.read_text())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return merges, sorted(model["vocab"], key=model["vocab"].get)


def _trained_vocabulary():
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_clip_words(), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=700, end_of_word_suffix="</w>", initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    trained.train_from_iterator(TEXTS * 3, trainer)
    with tempfile.TemporaryDirectory() as work:
        trained.model.save(work)
        vocabulary = json.loads((Path(work) / "vocab.json").read_text())
        merges = [line for line in (Path(work) / "merges.txt").read_text().splitlines() if not line.startswith("#")]
    return merges, vocabulary


def _clip_words():
    return Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


def siglip_tokenizer(folder):
    """Return transformers' tokenizer of SigLIP over a sentencepiece model trained on the texts."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text.lower() for text in TEXTS] * 4),
        model_writer=model,
        vocab_size=260,
        pad_id=1,
        eos_id=2,
        unk_id=0,
        bos_id=-1,
        add_dummy_prefix=True,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    return SiglipTokenizer(
        str(folder / "spiece.model"), eos_token="</s>", pad_token="</s>", model_max_length=64, model_input_names=["input_ids"]
    )


def write(folder, model, processor, tokenizer):
    """Export one model with its vectors, pixels and tokens; weights and texts only, nothing of the environment."""
    images = drawn_images()
    image_vectors, text_vectors, tokens = export_transformers(
        model, processor, tokenizer, folder, texts=TEXTS, images=images
    )
    pixels = torch.cat([squashed(processor, [image], SIZE) for image in images[:KEPT_PIXELS]]).numpy()
    np.savez_compressed(
        folder / "expected.npz",
        image_vectors=image_vectors,
        text_vectors=text_vectors,
        pixel_values=pixels,
        tokens=tokens,
    )
    kept = {"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "expected.npz"}
    for path in folder.iterdir():
        if path.is_file() and path.name not in kept:
            path.unlink()


def main():
    """Write both."""
    torch.manual_seed(20)
    clip, siglip = HERE / "clip", HERE / "siglip"
    for folder in (clip, siglip):
        folder.mkdir(exist_ok=True)
    fast, slow, vocabulary = clip_tokenizer(clip)
    assert [slow(text).input_ids for text in TEXTS] == [fast(text).input_ids for text in TEXTS]  # noqa: S101
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1}
    config = CLIPConfig(
        text_config=SMALL | ends | {"vocab_size": vocabulary, "projection_dim": 24},
        vision_config=SMALL | {"image_size": SIZE, "patch_size": 16, "projection_dim": 24},
        projection_dim=24,
        attn_implementation="eager",
    )
    write(clip, scaled(CLIPModel(config)), CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE), fast)
    pieces = siglip_tokenizer(siglip)
    config = SiglipConfig(
        text_config=SMALL | {"vocab_size": len(pieces), "max_position_embeddings": 64, "projection_size": 32},
        vision_config=SMALL | {"image_size": SIZE, "patch_size": 16},
        attn_implementation="eager",
    )
    processor = SiglipImageProcessor(size={"height": SIZE, "width": SIZE}, resample=2)
    write(siglip, scaled(SiglipModel(config)), processor, pieces)


def scaled(model):
    """Return a model whose weights are large enough that inputs differ in their vectors."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, weight.shape[-1] ** -0.5)
    return model


if __name__ == "__main__":
    main()
