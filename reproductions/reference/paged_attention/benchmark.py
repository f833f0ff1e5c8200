"""Model of the gain, bounds, measured properties, peers and declaration of PagedAttention."""

from collections.abc import Sequence

import torch

from reproductions.harness.spec import Bound, Kernel, Method, Quality, Sweep, Technique, close
from reproductions.reference.paged_attention import method
from reproductions.reference.paged_attention.blocks import OutOfMemory
from reproductions.reference.paged_attention.cache import Cache, ContiguousCache, PagedCache
from reproductions.reference.paged_attention.oracle import decode_oracle, serving_oracle
from reproductions.reference.paged_attention.peers import torch_flex_paged, vllm_paged
from reproductions.reference.paged_attention.workload import LONGEST, Decode, Requests, make_decode, make_requests


def empty_caches(w: Requests) -> dict[str, Cache]:
    """Both caches over the memory of ``w``, their slots without content: enough to run the schedule alone."""
    return {
        "contiguous": ContiguousCache(w.slots, LONGEST, torch.empty(0, 0)),
        "paged": PagedCache(w.slots, w.block, torch.empty(0, 0)),
    }


def claim(w: Requests) -> float:
    """Iterations of the contiguous server over those of the paged one, at these very requests.

    The paper gives no formula. It argues that memory limits how many requests run together and that an iteration costs
    about the same for more of them; then throughput grows as the number of iterations falls [vllm, sections 1 and 3].
    """
    turns = [sum(1 for _ in method.iterations(c, w.prompts, w.lengths)) for c in empty_caches(w).values()]
    return turns[0] / turns[1]


def hold(cache: Cache, lengths: Sequence[int]) -> int:
    """How many requests, in order and at their full length, the cache holds at once."""
    for r, length in enumerate(lengths):
        try:
            cache.extend(r, length)
        except OutOfMemory:
            return r
    return len(lengths)


def serving_quality(w: Requests) -> list[Quality]:
    """Requests held at once and the share of their slots never written, on full caches; mean batch size."""
    found, many = [], w.lengths * 8  # the same requests over again: more than fit
    for name, full in empty_caches(w).items():
        held = hold(full, many)
        waste = 1 - sum(many[:held]) / ((len(full.k) - len(full.free)) * full.k.shape[1])
        batch = [len(turn.running) for turn in method.iterations(empty_caches(w)[name], w.prompts, w.lengths)]
        found += [
            Quality(name, "requests held", held, "", "higher", f"in {w.slots} slots"),
            Quality(name, "waste", waste, "", "lower", "share of reserved slots never written"),
            Quality(name, "requests an iteration", sum(batch) / len(batch), "", "higher", "mean"),
        ]
    return found


def serving_bound(w: Requests) -> Bound:
    """Projections of every token, attention of the answered ones; every input and output moved once."""
    width, kv = w.x.shape[1], 2 * w.groups * w.head_size
    seen = sum(p + 1 for n, m in zip(w.prompts, w.lengths, strict=True) for p in range(n, m))
    answered = len(w.answered)
    flops = 2.0 * width * kv * (len(w.x) - answered) + 4.0 * w.heads * w.head_size * seen
    flops += 2.0 * answered * sum(t.numel() for t in (w.qkv, w.out, w.up, w.down))
    moved = sum(t.numel() for t in (w.x, w.qkv, w.out, w.up, w.down)) + answered * width
    return Bound(flops=flops, bytes=float(moved * w.x.element_size()))


def decode_bound(w: Decode) -> Bound:
    """Every query over its own tokens; each key and value that anyone looks at read once, though several share it."""
    shared = len({token for tokens in w.log for token in tokens}) * w.stream_k[0].numel()
    flops = 4.0 * w.q[0].numel() * sum(map(len, w.log))
    return Bound(flops=flops, bytes=float((2 * w.q.numel() + 2 * shared) * w.q.element_size()))


def decode_quality(w: Decode) -> list[Quality]:
    """The share of blocks that sharing saves: tables name some blocks more than once."""
    counts = (-(-w.lengths // w.blocks_k.shape[1])).tolist()
    named = [block for row, count in zip(w.table.tolist(), counts, strict=True) for block in row[:count]]
    saved = 1 - len(set(named)) / len(named)
    return [Quality("paged", "blocks saved by sharing", saved, "", "higher", "of those named")]


def kernels() -> Sequence[Kernel]:
    """The attention kernel as it runs at size gpu."""
    from reproductions.reference.paged_attention.kernel import specialisations

    return specialisations()


SERVING = Sweep(
    "block size (serving)",
    unit="tokens",
    tiny=(5, LONGEST),
    cpu=(1, 16, 64, LONGEST),
    gpu=(1, 16, 64, LONGEST),
    null=LONGEST,
    log=True,
    make=make_requests,
    methods={"contiguous": method.serve_contiguous, "paged": method.serve_paged},
    oracle=serving_oracle,
    claim=claim,
    bound=serving_bound,
    quality=serving_quality,
)
ONE_STEP = Sweep("block size (one step)", (5, 16), (4, 16, 64), (16, 64, 256), unit="tokens", log=True, clock="device")
TECHNIQUE = Technique(
    slug="paged-attention",
    papers=("vllm",),
    sweep=(SERVING, ONE_STEP),
    make=make_decode,
    methods={
        "contiguous": method.attend_contiguous,
        "paged": method.attend_paged,
        "paged-triton": Method(method.attend_paged_triton, needs="cuda", compiles=True),
    },
    oracle=decode_oracle,
    agree=close(fp32=1e-5, bf16=1e-2),
    bound=decode_bound,
    quality=decode_quality,
    peers={"torch-flex-paged": Method(torch_flex_paged, compiles=True), "vllm": vllm_paged},
    kernels=kernels,
)
