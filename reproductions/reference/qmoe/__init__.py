r"""QMoE: the experts of a mixture in less than one bit a parameter (qmoe).

Nearly all parameters of a large mixture are its experts. Each weight of an expert is put on one of three values of its
row,

    w^ in {low_r, 0, high_r}    low_r = min(0, min_c W_rc)    high_r = max(0, max_c W_rc)

by GPTQ, each expert on the tokens that reach it, many experts at once. Since the range is set by a row's extremes and
most weights are small, most become zero: with q the share of zeros, a code carries only

    H = - q log2 q - (1 - q) log2((1 - q) / 2)    bits.

A fixed dictionary comes near that: the 2^16 most probable strings of up to L = 14 pairs of codes under the model that
codes are independent. Each row is cut into the longest strings that are entries, and kept as their 16-bit numbers. A
row can be decoded without the others, and a codeword without those before it but for the sum of their lengths. So a
product needs no weights in memory, only

    y_r = high_r sum over (c: code 1) x_c + low_r sum over (c: code 2) x_c

taken entry by entry while decoding.

Letters: R rows (outputs), C columns (inputs), E experts, N tokens, D entries of the dictionary, L pairs in the longest,
W codewords of a matrix. Codes: 0 zero, 1 high, 2 low.

``oracle.py`` is the textbook form, ``method.py`` the codec and the products, ``kernel.py`` the fused product in Triton,
``quantise.py`` ternary GPTQ on the pieces of the reference ``gptq``, ``trained.py`` applies it to the testbed's
mixture, ``batches.py`` draws workloads, ``quality.py`` counts bits and losses, ``benchmark.py`` declares.
"""
