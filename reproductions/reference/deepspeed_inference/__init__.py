"""DeepSpeed Inference: a decoder layer in five fused regions, replayed as one graph, split over ranks
[deepspeed-inference].

One step of decoding reads one token for each of B sequences. With few sequences, every matrix product is a product with
few rows: its time is that of reading the weights, and a launch may take longer than the work. So a layer becomes

    q, k, v = norm(x) W_qkv^T + b_qkv             norm, product, bias          one region
    c = softmax(q K^T / sqrt(D)) V                k and v join a static cache  one region
    x = x + c W_out^T + b_out                     product, bias, residual      one region
    u = gelu(norm(x) W_up^T + b_up)               norm, product, bias, GELU    one region
    x = x + u W_down^T + b_down                   product, bias, residual      one region

on buffers that are allocated once, which is what lets a GPU replay the whole step as one captured graph. With tensor
parallelism each of p ranks has H / p heads and 4 d / p of the inner width, so that the ranks read the weights together;
the two products into x are then sums over ranks, one all-reduce each.

Letters: B sequences, S tokens in the cache before the first step, n steps, V words, L layers, d width, H heads
(``heads``), D = d / H head width, p ranks; the inner width is 4 d. The model is a pre-norm decoder as GPT-2, with a
tied output matrix. Sizes: see ``SHAPES`` in ``workload.py``.
"""
