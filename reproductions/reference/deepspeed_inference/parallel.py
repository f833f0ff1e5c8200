"""Tensor-parallel decoding: each rank has a share of the heads and of the inner width [deepspeed-inference].

The split is Megatron's: rows of the matrices into heads and inner width, columns of the two that lead back to x.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from reproductions.harness.spec import World
from reproductions.reference.deepspeed_inference.method import WRITTEN, fused
from reproductions.reference.deepspeed_inference.workload import Batch, Layer


def shard_layer(p: Layer, rank: int, size: int) -> Layer:
    """This rank's heads and inner columns. ``qkv`` is gathered into one piece again; biases after a sum stay whole."""

    def columns(t: Tensor, parts: int) -> Tensor:
        return t.unflatten(0, (parts, size, -1))[:, rank].flatten(0, 1)

    return replace(
        p, qkv=columns(p.qkv, 3), qkv_bias=columns(p.qkv_bias, 3), out=p.out.chunk(size, 1)[rank],
        up=columns(p.up, 1), up_bias=columns(p.up_bias, 1), down=p.down.chunk(size, 1)[rank],
    )  # fmt: skip


def reduced_add(world: World, y: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> None:
    """x += sum over ranks of y_r W_r^T, + b once: the one all-reduce of half a layer, B d numbers."""
    x.add_(world.all_reduce(torch.mm(y, weight.t()))).add_(bias)


def tensor_parallel(w: Batch) -> Tensor:
    """The fused step on one of p ranks; x and the logits are the same on all."""
    if w.world is None:
        raise ValueError("tensor-parallel decoding needs a world")
    rank, size = w.world.rank, w.world.size
    if w.heads % size:
        raise ValueError(f"{w.heads} heads cannot be divided among {size} ranks")
    own = replace(
        w,
        layers=[shard_layer(p, rank, size) for p in w.layers],
        prompt=w.prompt.chunk(size, 3)[rank],
        heads=w.heads // size,
    )
    return fused(own, WRITTEN._replace(linear_add=partial(reduced_add, w.world)))


def one_process(w: Batch) -> Tensor | None:
    """The baseline of the ranks: the same fused step, on rank 0 alone."""
    return None if w.world and w.world.rank else fused(w)
