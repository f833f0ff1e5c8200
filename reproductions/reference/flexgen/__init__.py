r"""FlexGen: generation by a model larger than the device, with its data on three tiers [flexgen].

Generating n tokens for many prompts is a grid of steps (i, j, k): layer j of token i for GPU batch k. Row by row, a
batch goes from its prompt to its last token before the next one starts, so that every weight that does not fit the
device crosses the link once for each batch and token. The zig-zag block schedule takes K batches together through a
layer before the next layer comes: the weight crosses once for K. While step t computes, the next layer's weights, the
cache and activations of step t + 1, and what step t - 1 made, are moved.

Where things lie is a policy of nine shares: wg, wc, wd of the weights, cg, cc, cd of the cache, hg, hc, hd of the
activations (g device, c host, d disk). With l layers, s tokens of prompt and n new ones, a block takes

    T = l (T_pre + (n - 1) T_gen),   T_pre, T_gen = max(ctog, gtoc, dtoc, ctod, comp)

seconds, where each link's time is the bytes that cross it for one layer, linear in the shares, over its speed. With the
memory of each tier as a constraint, the best shares for a given block are a linear programme. Weights and cache may
also be held, and moved, in groups of four-bit codes, which fits more and moves less and is no longer exact.

Letters: h1 width, the MLP 4 h1 wide, gbs sequences in a GPU batch, K batches in a block, H heads, D = h1 / H, V
vocabulary, G numbers in a four-bit group. Sizes: see ``SHAPES`` in ``making.py``.
"""
