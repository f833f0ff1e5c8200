"""The workload of the padding-free encoder: a padded batch and the weights of a post-norm (BERT) encoder."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(eq=False)
class Layer:
    """Weights of one encoder layer of width d; every weight is (out, in), as ``F.linear`` wants it."""

    qkv_weight: Tensor  # (3 d, d): queries, keys, values, each H blocks of D
    qkv_bias: Tensor  # (3 d,)
    out_weight: Tensor  # (d, d)
    out_bias: Tensor  # (d,)
    norm1_weight: Tensor  # (d,)
    norm1_bias: Tensor  # (d,)
    up_weight: Tensor  # (4 d, d)
    up_bias: Tensor  # (4 d,)
    down_weight: Tensor  # (d, 4 d)
    down_bias: Tensor  # (d,)
    norm2_weight: Tensor  # (d,)
    norm2_bias: Tensor  # (d,)


@dataclass(eq=False)
class Batch:
    """A padded batch. The slots beyond a sequence's length hold finite values that must reach no output."""

    x: Tensor  # (B, S, d)
    mask: Tensor  # (B, S) bool, true where a slot holds a token; tokens stand at the left
    lengths: Sequence[int]  # the B lengths on the host, as a tokenizer knows them; the longest is S
    heads: int
    layers: Sequence[Layer]
    eps: float = 1e-12  # of the layer norms
