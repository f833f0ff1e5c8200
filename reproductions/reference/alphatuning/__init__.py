"""AlphaTuning: train the scales of a model in binary codes, and nothing else [alphatuning].

Binary-coding quantisation writes each row w of a weight matrix as a sum of q sign patterns, each with one scale:

    w ~ alpha_1 b_1 + ... + alpha_q b_q,    b_i in {-1, +1}^C

Greedily, b_i = sign(r) and alpha_i = mean |r| for the rest r that is left of w. Alternating improves on that: with the
patterns fixed the best scales solve least squares, alpha = (B^T B)^-1 B^T w with B = [b_1 .. b_q]; with the scales
fixed each weight takes the nearest of the 2^q sums. Neither step can make the error larger.

Tuning keeps every pattern frozen and trains scales alone. With y = x W^T and the gradient dy of the loss by y, a scale
of row r has the gradient

    d alpha_i[r] = sum_c (dy^T x)[r, c] b_i[r, c]

so one number for C weights, and optimiser state for that one number. The patterns, one bit each, serve every task.

Letters: R rows (outputs) and C columns (inputs) of a matrix, q patterns (``bits``), N tokens, d width, L layers.
"""
