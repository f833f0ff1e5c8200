"""ByteTransformer: compute no padded token [bytetransformer].

A batch of B sequences of lengths l_1 .. l_B is stored padded to the longest, S. Every layer but attention treats tokens
one by one, so it can leave the padded slots out. Let m_i be 1 where slot i of the flattened batch holds a token,
else 0. The prefix sum

    P_i = m_1 + ... + m_i

says where a token goes: slot i becomes row P_i - 1 of a dense matrix of T = l_1 + ... + l_B rows. All linear layers,
norms and activations run on T rows instead of B S; attention finds sequence b at row o_b = l_1 + ... + l_(b-1);
the last step writes the rows back to their slots.

Counting two operations per multiplication and addition, one layer of width d costs 24 B S d^2 + 4 B S^2 d padded and
24 T d^2 + 4 d (l_1^2 + ... + l_B^2) packed. At fill T / (B S) = 1 the two are equal: the null point.

Letters: B sequences, S slots each, T tokens, d width, H heads (``heads``), D = d / H head width; the feed-forward part
is 4 d wide, as in BERT. Sizes: see ``SHAPES`` in ``benchmark.py``.
"""
