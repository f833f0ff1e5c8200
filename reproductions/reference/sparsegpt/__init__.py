r"""SparseGPT: one-shot pruning with the inverse Hessian (sparsegpt).

A linear layer y = W x is to lose a share p of its weights without retraining. Removing those of smallest magnitude
looks at weights alone. What counts is the output, E = || (W - W^) X ||^2 over calibration inputs X, a quadratic whose
Hessian for every row of W is H = X^T X. The best weights for a given mask follow from the rows and columns of H that
stay; but masks differ from row to row, and so would the inverses. SparseGPT lets a weight be corrected only by
removals to its left. Then one order of columns, hence one factorisation H^-1 = U^T U, serves all rows:

    e = (w_i - w^_i) / U_ii        w_j <- w_j - e U_ij  for j > i        w^_i = 0 where the mask says so, else w_i

The mask is adaptive: when the walk reaches a window of columns, those of its weights go that have the lowest score
w_i^2 / U_ii^2, what their removal costs after every correction so far. The window is 128 columns of all rows together
for an unstructured mask, and m columns of each row alone for n:m sparsity, which leaves n of every m. With
w^_i = round(w_i) for weights that stay, quantisation is done in the same pass.

Letters: R rows (outputs), C columns (inputs), N calibration inputs, T tokens at use, b bits, G groups of four columns.

``oracle.py`` is the textbook form without Cholesky and blocks, ``method.py`` the method and the layer at use in
sparse formats (``formats.py``), ``quality.py`` its error against other ways of pruning, ``whole_model.py`` applies
them to models with real weights, ``benchmark.py`` declares.
"""
