r"""GPTQ: second-order quantisation of weights after training (gptq).

A linear layer y = W x is to be held in few bits. Rounding each weight to its nearest grid point (RTN) looks at
weights alone. What counts is the output, E = || (W - W^) X ||^2 over calibration inputs X, a quadratic whose Hessian
for every row of W is H = X^T X. Columns are rounded one after another, and what rounding column i did wrong is made
good by the columns that are not yet rounded. With H^-1 = U^T U, U upper triangular from a Cholesky factorisation of
the inverse:

    w^_i = round(w_i)        e = (w_i - w^_i) / U_ii        w_j <- w_j - e U_ij  for j > i

One factorisation serves all rows and all steps. The updates reach only the current block of columns at once; the rest
of the matrix gets those of a whole block in one matrix product (lazy blocks). The grid is w^ = s (c - z) with codes c
of 0 .. 2^b - 1 and s, z for each row and each group of columns.

Letters: R rows (outputs), C columns (inputs), N calibration inputs, T tokens at use, b bits, G groups of ``group``
columns.

``oracle.py`` is the textbook form without Cholesky and blocks, ``method.py`` the method, packing and the layer at
use, ``kernel.py`` the dequantising matrix product in Triton, ``whole_model.py`` applies it to models with real
weights, ``benchmark.py`` declares.
"""
