"""Export a dual encoder as a folder for MCP_CXR_MODEL_DIR: ONNX graphs, tokenizer, processor and reference vectors.

Run it on a connected machine, in an environment of its own, and carry the folder to where it is needed:

    pip install torch transformers onnx sentencepiece protobuf
    python export_encoder.py google/medsiglip-448 medsiglip-448

    pip install torch open_clip_torch transformers onnx
    python export_encoder.py --open-clip hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224 biomedclip

It needs no part of mcp-cxr. `mcp-cxr model check FOLDER` compares what it finds with `reference.npz`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import torch
except ImportError as exc:
    sys.exit(f"Error: The package {exc.name} is missing: pip install torch transformers onnx sentencepiece protobuf")

OPSET = 17
EXTERNAL_FROM_BYTES = 50 << 20
"""Larger weights are written beside the graph: processes then share them in memory."""
TEXTS = (
    "left pleural effusion",
    "No acute cardiopulmonary process.",
    "Small RIGHT apical pneumothorax; chest tube in place",
    "The heart is enlarged.  There is mild pulmonary edema (unchanged).",
    "pacemaker with leads in the right atrium and the right ventricle",
    "Bibasilar atelectasis, otherwise the lungs are clear and there is no pleural effusion or pneumothorax. " * 4,
)


class Tower(torch.nn.Module):
    """One tower: what `features` makes of its inputs."""

    def __init__(self, model, features):
        super().__init__()
        self.model, self.features = model, features

    def forward(self, *inputs):
        found = self.features(*inputs)
        return found if isinstance(found, torch.Tensor) else found.pooler_output  # since transformers 5


def drawings(count, size):
    """Return (count, size, size) uint8: blobs on a gradient, a different one for each."""
    rng = np.random.default_rng(20)
    down, across = np.mgrid[0:size, 0:size].astype(np.float32) / size
    images = []
    for _ in range(count):
        image = 30 + 120 * (down * rng.random() + across * rng.random())
        for _ in range(4):
            y, x, radius, gain = rng.random(4)
            image += (150 * gain - 40) * np.exp(-((down - y) ** 2 + (across - x) ** 2) / (0.004 + 0.06 * radius**2))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return np.stack(images)


def export_tower(tower, inputs, names, output, path):
    """Write one graph; batch and, for texts, sequence are open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.backends.mha.set_fastpath_enabled(False)  # its one operator has no form in ONNX
    axes = {name: {0: "batch"} if name == "pixel_values" else {0: "batch", 1: "sequence"} for name in names}
    with torch.no_grad():
        torch.onnx.export(
            tower,
            inputs,
            str(path),
            input_names=list(names),
            output_names=[output],
            dynamic_axes=axes | {output: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    if model.ByteSize() > EXTERNAL_FROM_BYTES or (path.parent / f"{path.name}_data").exists():
        for stale in path.parent.iterdir():
            if stale != path and not stale.name.endswith((".json", ".onnx", ".onnx_data")):
                stale.unlink()  # one file for each weight, which torch writes for more than 2 GB
        onnx.save(model, str(path), save_as_external_data=True, location=f"{path.name}_data")


def unit(vectors):
    """Return rows of unit length as numpy."""
    return torch.nn.functional.normalize(vectors, dim=-1).numpy().astype(np.float32)


def write_reference(folder, images, texts, image_vectors, text_vectors):
    """Write what the model itself makes of drawings and texts."""
    np.savez_compressed(
        folder / "reference.npz",
        images=images,
        texts=np.array(texts),
        image_vectors=image_vectors,
        text_vectors=text_vectors,
    )


def squashed(processor, images, size):
    """Return the pixel values of transformers' own processor, squashed instead of cropped."""
    from PIL import Image

    pictures = [Image.fromarray(image).convert("RGB") for image in images]
    sizes = {"height": size, "width": size}
    return processor(pictures, size=sizes, do_center_crop=False, return_tensors="pt")["pixel_values"].float()


def padding_of(model, tokenizer, graph_inputs):
    """Return how texts are padded: SigLIP to its full length, others to the longest."""
    length = min(model.config.text_config.max_position_embeddings, tokenizer.model_max_length)
    fixed = "attention_mask" not in graph_inputs
    return {"padding": "max_length" if fixed else True, "max_length": length, "truncation": True}


def export_transformers(model, processor, tokenizer, folder, *, texts=TEXTS, images=None):
    """Write a CLIP or SigLIP of transformers; return its graphs' inputs for texts."""
    model = model.eval()
    size = model.config.vision_config.image_size
    names = ("input_ids",) if model.config.model_type.startswith("siglip") else ("input_ids", "attention_mask")
    how = padding_of(model, tokenizer, names)
    image_tower = Tower(model, lambda pixels: model.get_image_features(pixel_values=pixels))
    text_tower = Tower(model, lambda *inputs: model.get_text_features(**dict(zip(names, inputs, strict=True))))
    tokens = tokenizer(list(texts), return_tensors="pt", **how)
    given = tuple(tokens[name] for name in names)
    export_tower(
        image_tower, (torch.zeros(2, 3, size, size),), ("pixel_values",), "image_embeds", folder / "onnx/vision_model.onnx"
    )
    export_tower(text_tower, given, names, "text_embeds", folder / "onnx/text_model.onnx")
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    images = drawings(8, size) if images is None else images
    with torch.no_grad():
        image_vectors = unit(image_tower(squashed(processor, images, size)))
        text_vectors = unit(text_tower(*given))
    if len({image.shape for image in images}) == 1:
        write_reference(folder, np.stack(images), texts, image_vectors, text_vectors)
    return image_vectors, text_vectors, tokens["input_ids"].numpy()


def save_tokenizer(tokenizer, folder):
    """Save a tokenizer as tokenizer.json, which older SigLIPs lack: it is made of their sentencepiece model."""
    (folder / "tokenizer.json").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    if (folder / "tokenizer.json").exists():
        return
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = tokenizer.sp_model
    vocabulary = [(pieces.id_to_piece(n), pieces.get_score(n)) for n in range(pieces.get_piece_size())]
    fast = Tokenizer(models.Unigram(vocabulary, unk_id=pieces.unk_id()))
    spec = sentencepiece_model_pb2.ModelProto.FromString(pieces.serialized_model_proto()).normalizer_spec
    if spec.precompiled_charsmap:
        fast.normalizer = normalizers.Precompiled(spec.precompiled_charsmap)
    fast.pre_tokenizer = pre_tokenizers.Metaspace()
    end = tokenizer.eos_token
    fast.post_processor = processors.TemplateProcessing(f"$A {end}", special_tokens=[(end, pieces.eos_id())])
    fast.save(str(folder / "tokenizer.json"))


def export_open_clip(name, folder):
    """Write an encoder of open_clip, in the layout that immich reads."""
    import open_clip

    model, _, _ = open_clip.create_model_and_transforms(name)
    tokenizer, config = open_clip.get_tokenizer(name), _open_clip_config(name)
    model = model.eval()
    process = open_clip.get_model_preprocess_cfg(model)
    size = process["size"][0] if isinstance(process["size"], (list, tuple)) else process["size"]
    tokens = tokenizer(list(TEXTS)).to(torch.int32)
    image_tower = Tower(model, model.encode_image)
    text_tower = Tower(model, lambda ids: model.encode_text(ids.long()))
    export_tower(image_tower, (torch.zeros(2, 3, size, size),), ("pixel_values",), "embedding", folder / "visual/model.onnx")
    export_tower(text_tower, (tokens,), ("text",), "embedding", folder / "textual/model.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "visual/preprocess_cfg.json").write_text(json.dumps(process))
    save_tokenizer(_inner_tokenizer(tokenizer), folder / "textual")
    images = drawings(8, size)
    mean, std = (torch.tensor(process[key])[None, :, None, None] for key in ("mean", "std"))
    pixels = (torch.tensor(images)[:, None].float() / 255 - mean) / std
    with torch.no_grad():
        write_reference(folder, images, TEXTS, unit(image_tower(pixels)), unit(text_tower(tokens)))


def _open_clip_config(name):
    """Return the model's configuration: of a repository on the hub, that of its own file."""
    import open_clip

    if not name.startswith("hf-hub:"):
        return open_clip.get_model_config(name)
    from huggingface_hub import hf_hub_download

    found = hf_hub_download(name.removeprefix("hf-hub:"), "open_clip_config.json")
    return json.loads(Path(found).read_text())["model_cfg"]


def _inner_tokenizer(tokenizer):
    """Return the tokenizer of transformers that does the same: open_clip's own has CLIP's vocabulary."""
    if hasattr(tokenizer, "tokenizer"):
        return tokenizer.tokenizer
    import open_clip
    from transformers import CLIPTokenizerFast

    pieces = sorted(tokenizer.encoder, key=tokenizer.encoder.get)
    packed = Path(open_clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz")
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    with tempfile.TemporaryDirectory() as work:
        vocabulary, rules = Path(work) / "vocab.json", Path(work) / "merges.txt"
        vocabulary.write_text(json.dumps({names.get(piece, piece): n for n, piece in enumerate(pieces)}))
        rules.write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
        return CLIPTokenizerFast(str(vocabulary), str(rules), model_max_length=tokenizer.context_length)


def main():
    """Export what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name on the Hugging Face Hub, or a folder that holds the model")
    parser.add_argument("folder", type=Path, help="the folder to write")
    parser.add_argument("--open-clip", action="store_true", help="load it with open_clip instead of transformers")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.open_clip:
        export_open_clip(arguments.model, arguments.folder)
        return 0
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(arguments.model, attn_implementation="eager")
    processor = AutoImageProcessor.from_pretrained(arguments.model)
    export_transformers(model, processor, AutoTokenizer.from_pretrained(arguments.model), arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
