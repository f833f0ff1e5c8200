"""What the methods move and reach, and what four bits cost in quality."""

import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.flexgen import method
from reproductions.reference.flexgen.codec import rounded
from reproductions.reference.flexgen.workload import Batch, Plan
from reproductions.testbed.absent import Absent
from reproductions.testbed.perplexity import bits_per_byte
from reproductions.testbed.text import manual
from reproductions.testbed.transformer import Attend, Decoder
from reproductions.testbed.weights import load_house

CALLS = 3
TEXT = 16_384  # bytes of Python's own manual that the house model, trained on plays, is asked to predict


def measured(name: str, w: Batch, plan: Plan, overlap: bool = True) -> list[Quality]:
    """Bytes over the links a generated token, counted, and tokens a second, outside the race."""
    count, seconds = w.prompts.shape[0] * w.prompts.shape[1] * w.job.new, list[float]()
    moved: dict[str, int] = {}
    for _ in range(CALLS):
        start = time.perf_counter()
        _, moved = method.generate(w, plan, overlap)
        seconds.append(time.perf_counter() - start)
    fast, slow = (sum(moved[link] for link in links) / count for links in (("ctog", "gtoc"), ("dtoc", "ctod")))
    return [
        Quality(name, "traffic", fast, "B/token", "lower", "between host and device"),
        Quality(name, "traffic", slow, "B/token", "lower", "between disk and host"),
        Quality(name, "throughput", count / median(seconds), "token/s", "higher", f"median of {CALLS} calls"),
        Quality(name, "weights on the device", plan.policy.wg, "", "higher", "share, by the policy search"),
    ]


def offloading(w: Batch) -> list[Quality]:
    """Traffic and throughput of the three methods."""
    serial = [q for q in measured("zig-zag-serial", w, w.technique, overlap=False) if q.metric == "throughput"]
    return measured("row-by-row", w, w.baseline) + measured("zig-zag", w, w.technique) + serial


def compression(w: Batch) -> list[Quality]:
    """Traffic and throughput at full width and in four bits, and, at real sizes, what the bits cost a real model."""
    found = measured("zig-zag-wide", w, w.baseline) + measured("zig-zag-4bit", w, w.technique)
    if len(w.embed) > 32:
        found += house_model(w)
    return found


def house_model(w: Batch) -> Sequence[Quality]:
    """Bits a byte of the house model, trained and plain, with what ``w`` holds in four bits rounded to them.

    Nothing where the model is missing.
    """
    try:
        model = load_house("target").to(w.embed.device)
    except Absent:
        return []
    if w.technique.packed_weights:
        round_weights(model, w.group)
    if w.technique.packed_cache:
        for block in model.blocks:
            block.attention.attend = attention_with_rounded_past(w.group)  # type: ignore[union-attr]
    text = manual()[:TEXT]
    return [Quality("zig-zag-4bit", "house model", bits_per_byte(model, text), "bit/byte", "lower", "Python's manual")]


@torch.no_grad()
def round_weights(model: Decoder, group: int) -> None:
    """Round the matrices of every block to four bits in place, in groups along the output channels."""
    for name, p in model.blocks.named_parameters():
        if p.dim() == 2:
            assert name.endswith("weight")  # (out, in)
            p.copy_(rounded(p.T.contiguous(), group).T)


def attention_with_rounded_past(group: int) -> Attend:
    """Causal attention in which a token sees itself as computed and the earlier ones as four bits hold them."""

    def attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        past_k, past_v = rounded(k, group), rounded(v, group)
        own = torch.eye(q.shape[2], dtype=torch.bool, device=q.device)
        scores = torch.where(own, q @ k.transpose(-1, -2), q @ past_k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        p = scores.masked_fill(~own.cumsum(-2).bool(), -torch.inf).softmax(-1)
        return p @ past_v + p.diagonal(dim1=-2, dim2=-1)[..., None] * (v - past_v)

    return attend
