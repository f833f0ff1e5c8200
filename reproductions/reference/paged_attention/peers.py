"""Well-known libraries that do the same step of decode attention through a block table."""

from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor

from reproductions.reference.paged_attention.workload import Decode


@cache
def flex(compiled: bool) -> Callable[..., Tensor]:
    """``flex_attention``, compiled so that it keeps no scores; a smoke workload is not worth the seconds of it.

    Compiling must leave no thread behind, which the harness would take for work that goes on: so it runs in this one,
    and the progress bar, which is never shown, gets no thread that watches it.
    """
    import torch.hub
    from torch.nn.attention.flex_attention import flex_attention

    if not compiled:
        return cast(Callable[..., Tensor], flex_attention)
    torch.hub.tqdm.monitor_interval = 0
    return cast(Callable[..., Tensor], torch.compile(flex_attention, options={"compile_threads": 1}))


def torch_flex_paged(w: Decode) -> Tensor:
    """Peer: PyTorch's experimental ``PagedAttention`` over flex_attention, given our tables. [N, H, D]."""
    from torch.nn.attention.experimental._paged_attention import PagedAttention
    from torch.nn.attention.flex_attention import BlockMask

    (n, width), (blocks, size) = w.table.shape, w.blocks_k.shape[:2]
    counts = -(-w.lengths // size)
    pages = PagedAttention(blocks, size, n, device=str(w.q.device))
    pages.page_table[:, :width] = w.table
    for i, count in enumerate(counts.tolist()):
        pages.physical_to_logical[i, w.table[i, :count]] = torch.arange(count, device=w.q.device)
    places = torch.arange(width, dtype=torch.int32, device=w.q.device).repeat(n, 1, 1, 1)
    logical = BlockMask.from_kv_blocks(
        counts.int().view(n, 1, 1), places, BLOCK_SIZE=(128, size), seq_lengths=(1, width * size)
    )
    mask = pages.convert_logical_block_mask(logical, kv_len=w.lengths)
    k, v = (x.flatten(0, 1).transpose(0, 1).expand(n, -1, -1, -1) for x in (w.blocks_k, w.blocks_v))
    return flex(w.longest > 64)(w.q[:, :, None], k, v, block_mask=mask, enable_gqa=True)[:, :, 0]


def vllm_paged(w: Decode) -> Tensor:
    """Peer: the paged kernel that vLLM serves with, CUDA only; it wants blocks of a multiple of 16 slots. [N, H, D]."""
    from vllm.vllm_flash_attn import flash_attn_varlen_func

    starts = torch.arange(len(w.q) + 1, dtype=torch.int32, device=w.q.device)
    return flash_attn_varlen_func(
        q=w.q, k=w.blocks_k, v=w.blocks_v, max_seqlen_q=1, cu_seqlens_q=starts, max_seqlen_k=w.longest,
        seqused_k=w.lengths.int(), block_table=w.table.int(),
    )  # fmt: skip
