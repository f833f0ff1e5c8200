"""Tensor parallelism: every matrix of every layer cut over p ranks, one sum a half layer [megatron-lm, megatron-3d].

The first matrix of the feed-forward part is cut by columns, A = [A_1 .. A_p], the second by rows, so that rank r needs
nothing from the others between them:

    Y = sum over r of GeLU(X A_r) B_r

Attention is cut the same way: rank r computes H / p whole heads and multiplies them by its rows of the output matrix.
Two conjugate operators stand at the borders. f hands X to the ranks: identity forward, all-reduce backward. g adds up
their terms: all-reduce forward, identity backward. A layer so needs four all-reduces of B S d values in a step, two in
each direction. In a ring one of n values makes a rank send 2 n (p - 1) / p:

    8 B S d (p - 1) / p values for a layer and a step, whatever the number of weights

The words of the tied embedding are cut too. Looking up costs one more all-reduce forward and the output one more
backward; the cross-entropy needs three numbers for each token (the greatest logit, the sum of exponentials, the logit
of the target) and never the logits of other ranks. Norms, positions and biases after g are replicated.

At p = 1 both operators do nothing: the null point.

Letters: p ranks, B sequences of S tokens, d width, H heads of D = d / H, 4 d inner width, L layers, V words; T = B S.
In the code a linear map keeps W = A^T of shape (outputs, inputs), as PyTorch does. Sizes: ``SHAPES`` in
``workload.py``.
"""
