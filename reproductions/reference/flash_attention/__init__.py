r"""FlashAttention: exact attention without the score matrix (flashattention, flashattention-2).

Attention of one head is O = softmax(Q K^T / sqrt(D)) V. Written plainly, the S x S matrices of scores and weights go
to memory and come back several times, and the backward pass keeps the weights. Here Q, K and V are cut into tiles; a
row of the softmax is built up while the tiles of K and V pass by, from two numbers for each row, the running maximum
m and the running sum l:

    m' = max(m, max_j s_j)
    l' = e^(m - m') l + sum_j e^(s_j - m')
    A' = e^(m - m') A + sum_j e^(s_j - m') v_j

After the last tile o = A / l, and the log-sum-exp L = m + log l is all that the backward pass needs beside o: it
makes each tile of weights again, P = e^(s - L), and with delta_i = sum_d dO_id O_id

    dV = P^T dO        dS = P o (dO V^T - delta)        dQ = dS K / sqrt(D)        dK = dS^T Q / sqrt(D).

No tensor larger than S x D, or than one tile, is ever held.

Letters: B sequences, H heads, S positions, D features of a head; tile, positions in one tile (BLOCK_M queries and
BLOCK_N keys in the kernels); r0:r1 the queries of a tile, c0:c1 its keys; ``total`` is l, ``acc`` is A.

``oracle.py`` is the truth in float64, ``method.py`` the baseline and the tiled method in PyTorch, ``kernel.py`` the
same in Triton, ``benchmark.py`` the declaration.
"""
