"""How a text becomes tokens, as the folder says: cleaned, cut, padded."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from mcp_cxr.embeddings.local._model_files import MAX_TOKENIZER_BYTES, folder_error, read_bounded
from mcp_cxr.embeddings.local._onnx_sessions import MISSING_PACKAGES
from mcp_cxr.errors import EmbeddingRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings.local._model_files import EncoderFiles
    from mcp_cxr.embeddings.local._onnx_graph import TensorInfo

_OPEN_CLIP_LENGTH: Final = 77
"""What open_clip takes if `context_length` is not set."""
_TRANSFORMERS_LENGTHS: Final = {"clip": 77, "siglip": 64, "siglip2": 64}
"""`max_position_embeddings` by `model_type`, which transformers leaves out of `text_config` if it is the default."""
_LENGTHS: Final = (2, 4096)
_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_IDS: Final = frozenset({"input_ids", "text", "input", "tokens"})
_MASKS: Final = frozenset({"attention_mask", "mask"})
_TYPES: Final = frozenset({"token_type_ids"})
_DTYPES: Final = frozenset({"int32", "int64"})

Cleaning = Literal["SigLIP", "SigLIP, cased", "open_clip"]


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """Length, padding and cleaning of the texts of one encoder, and the inputs of its graph."""

    length: int
    """Tokens at most, special ones included; longer texts are cut."""
    is_padded_to_length: bool
    """Whether every text is padded to `length`; else to the longest of a batch."""
    pad_token: str
    cleaning: Cleaning | None
    """Whose way of removing punctuation and upper case; None: the tokenizer does all that is needed."""
    masks_padding: bool
    """Whether the attention mask leaves out padding. SigLIP attends to it."""
    ids_input: TensorInfo
    mask_input: TensorInfo | None
    types_input: TensorInfo | None

    @property
    def description(self) -> str:
        """For people, and for the digest: what decides which tokens a text becomes."""
        padding = "padded to that length" if self.is_padded_to_length else "padded to the longest, masked"
        return f"{self.length} tokens, {padding}{', without punctuation' if self.cleaning else ''}"


def text_recipe(files: EncoderFiles, inputs: Sequence[TensorInfo]) -> TextRecipe:
    """Return the recipe that the folder's files describe.

    Raises:
        EmbeddingRejected: They lack a value, or the graph has an input that is unknown.
    """
    ids, mask, types = _named_inputs(inputs)
    fixed = ids.shape[1] if len(ids.shape) > 1 else None
    is_siglip = _is_siglip(files)
    return TextRecipe(
        length=fixed or _length(files),
        is_padded_to_length=bool(fixed) or is_siglip or mask is None,
        pad_token=_pad_token(files),
        cleaning=_cleaning(files),
        masks_padding=not is_siglip or "attention_mask" in str(files.tokenizer_config.get("model_input_names")),
        ids_input=ids,
        mask_input=mask,
        types_input=types,
    )


def _named_inputs(inputs: Sequence[TensorInfo]) -> tuple[TensorInfo, TensorInfo | None, TensorInfo | None]:
    found: dict[str, TensorInfo] = {}
    for each in inputs:
        kind = next(
            (kind for kind, names in (("ids", _IDS), ("mask", _MASKS), ("types", _TYPES)) if each.name in names), None
        )
        if kind is None and len(inputs) == 1:
            kind = "ids"
        if kind is None or kind in found:
            raise folder_error(f"the text graph has the input {each.name[:40]!r}, which is unknown; export it again.")
        if each.dtype not in _DTYPES:
            raise folder_error(f"the text graph's input {each.name!r} is {each.dtype}; tokens are int32 or int64.")
        found[kind] = each
    if "ids" not in found:
        raise folder_error("the text graph has no input for tokens, such as input_ids; export it again.")
    return found["ids"], found.get("mask"), found.get("types")


def _is_siglip(files: EncoderFiles) -> bool:
    """Whether texts are padded to their full length, and padding is attended to, as in every SigLIP of transformers."""
    return files.layout == "Hugging Face" and str(files.config.get("model_type", "")).startswith("siglip")


def _length(files: EncoderFiles) -> int:
    """Return the smallest limit that the files name: BERT's `max_position_embeddings` can be more than was trained."""
    config = _section(files.config, "text_cfg" if files.layout == "open_clip" else "text_config")
    if files.layout == "open_clip":
        named = [config.get("context_length", _OPEN_CLIP_LENGTH)]
    else:
        usual = _TRANSFORMERS_LENGTHS.get(str(files.config.get("model_type")))
        named = [config.get("max_position_embeddings", usual), files.tokenizer_config.get("model_max_length")]
    limits = [int(each) for each in named if isinstance(each, int | float) and _LENGTHS[0] <= each <= _LENGTHS[1]]
    if not limits:
        raise folder_error(
            "the number of tokens is unknown; set model_max_length in tokenizer_config.json to what the model was "
            "trained with."
        )
    return min(limits)


def _pad_token(files: EncoderFiles) -> str:
    token = files.tokenizer_config.get("pad_token")
    if isinstance(token, dict):
        token = cast("dict[str, Any]", token).get("content")
    if not isinstance(token, str) or not token:
        raise folder_error("tokenizer_config.json has no pad_token; copy it from the model.")
    return token


def _cleaning(files: EncoderFiles) -> Cleaning | None:
    if files.layout == "Hugging Face":
        config = files.tokenizer_config
        if config.get("tokenizer_class") not in ("SiglipTokenizer", "SiglipTokenizerFast"):
            return None
        return "SigLIP" if config.get("do_lower_case", True) else "SigLIP, cased"
    arguments = _section(_section(files.config, "text_cfg"), "tokenizer_kwargs")
    return "open_clip" if arguments.get("clean") == "canonicalize" else None


def _section(config: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object at a key; an empty one if there is none."""
    found = config.get(key)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


class TextTokenizer:
    """Turns texts into the inputs of a text graph.

    Raises:
        EmbeddingRejected: When it is made: the tokenizer cannot be read, or does not know its padding.
    """

    def __init__(self, files: EncoderFiles, recipe: TextRecipe) -> None:
        try:
            from tokenizers import Tokenizer  # loaded late: `serve` starts without it
        except ImportError as exc:
            raise EmbeddingRejected(MISSING_PACKAGES) from exc
        source = read_bounded(files.tokenizer, MAX_TOKENIZER_BYTES)
        try:
            self._tokenizer: Any = Tokenizer.from_buffer(source)
        except Exception as exc:  # the library raises no narrower class
            raise folder_error("tokenizer.json cannot be read by `tokenizers`; copy it from the model.") from exc
        pad_id = self._tokenizer.token_to_id(recipe.pad_token)
        if pad_id is None:
            raise folder_error("tokenizer.json does not know the pad_token of tokenizer_config.json; copy both again.")
        self._recipe = recipe
        self._tokenizer.enable_truncation(recipe.length)
        length = recipe.length if recipe.is_padded_to_length else None
        self._tokenizer.enable_padding(length=length, pad_id=pad_id, pad_token=recipe.pad_token)

    @property
    def highest_id(self) -> int:
        """The highest token id, which the graph must know too."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values())

    def tokens(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each text, with padding."""
        return [tuple(each.ids) for each in self._encode(texts)]

    def inputs(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the inputs of the graph for a batch of texts."""
        encoded, recipe = self._encode(texts), self._recipe
        ids = [each.ids for each in encoded]
        masks = [each.attention_mask if recipe.masks_padding else [1] * len(each.ids) for each in encoded]
        rows = (
            (recipe.ids_input, ids),
            (recipe.mask_input, masks),
            (recipe.types_input, [each.type_ids for each in encoded]),
        )
        return {info.name: np.array(values, info.dtype) for info, values in rows if info}

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        return self._tokenizer.encode_batch([clean_text(text, self._recipe.cleaning) for text in texts])


def clean_text(text: str, cleaning: Cleaning | None) -> str:
    """Return a text as the encoder was trained on it; runs of white space count as one blank."""
    if cleaning == "open_clip":
        text = text.replace("_", " ")  # SigLIP's own code removes it
    if cleaning:
        text = text.translate(_NO_PUNCTUATION)
        text = text if cleaning == "SigLIP, cased" else text.lower()
    return " ".join(text.split())
