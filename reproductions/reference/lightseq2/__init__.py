"""LightSeq2: few kernels for what lies between the matrix products, one workspace for what is trained [lightseq2].

A training step with post-norm layers runs, between its products, chains of small operators. With z = x W^T the product
of a layer, K its dropout mask of zeros and ones and q the drop rate, the tail of the layer is

    t = x + K (z + b) / (1 - q)        h = gamma x^ + beta        x^ = (t - mean(t)) / sqrt(var(t) + eps)

one region forward and one backward. With g = dh gamma, means over the width d, and r = 1 / sqrt(var(t) + eps),

    dt = r (g - mean(g) - x^ mean(g x^))        dz = K dt / (1 - q)

and db, dgamma, dbeta are sums over rows in the same pass. The criterion is cross-entropy with label smoothing s over a
vocabulary of V; with L = log sum_v exp(l_v) for logits l and target y,

    loss = L - (1 - s) l_y - s mean(l)        dl_v = exp(l_v - L) - (1 - s) [v = y] - s / V

again one region each way, the gradient written over the logits. Matrix products are left to the library.

All parameters lie end to end in one half-precision workspace, all gradients in another; what the layers see are
fragments of it. One kernel reads both, computes AdamW in fp32 on the way and writes half precision back: no fp32 copy
of parameters or gradients exists. The moments m and v are kept in fp32.

Letters: N tokens, d width, V words, L layers; x, h, t, z [N, d], logits [N, V]. Sizes: ``SHAPES`` in ``benchmark.py``.
"""
