"""CoLLiE: one training loop in which each way of saving memory or dividing work is a switch [collie].

A decoder of L blocks is trained for a few steps. The loop reads a configuration and nothing of it is written into the
model:

    optimiser   Adam keeps a gradient g and the moments m, v of every weight; LOMO spends g inside the backward pass,
                w <- w - eta g, and keeps neither [lomo]
    rank        r > 0 freezes the weights W and trains thin matrices beside q and v, W + 2 B A with A (r, d), B (d, r)
                and B = 0 at first [lora]
    attention   with torch's fused call, with the whole score matrix, or in the tiles of the FlashAttention reference
    tensor      t processes share every matrix: f and g of the Megatron reference [megatron-lm]
    pipeline    p processes have consecutive layers, micro-batches follow one another: the order of the GPipe reference
    data        n replicas have a part of the sequences each; with ``shard`` they also divide weights, gradients and
                moments, fetch a layer when it is needed and let it go again, as in the third stage of ZeRO [zero]

t p n processes are needed. In every plan the step is that of one process. In bytes for each parameter, with weights and
gradients of b bytes and moments of 4, a plan keeps

    Adam 2 b + 8, and 4 more for a master copy where b < 4        LOMO b        LoRA b + (2 b + 8 + ...) a

where a is the share of the adapters' parameters, and to this come the inputs of the layers, kept for recomputing them.

Letters: N sequences of S tokens, V words, d width, H heads of width D = d / H, h inner width, L blocks. Sizes: see
``SHAPES`` in ``workload.py``.
"""
