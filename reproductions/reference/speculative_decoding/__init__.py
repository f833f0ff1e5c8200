r"""Speculative decoding: a small draft model guesses, the large target model judges all guesses in one pass.

Decoding is slow because each token waits for the one before it, while the hardware waits for weights. A pass over
gamma + 1 tokens costs a target little more than a pass over one. So the draft proposes gamma tokens, each from its own
distribution q, and the target computes its distributions p at all gamma + 1 places at once [speculative-decoding,
algorithm 1]. Proposal x is kept with probability

    min(1, p(x) / q(x))

At the first one refused, a token is drawn from the residual

    p'(x) = max(0, p(x) - q(x)) / sum_y max(0, p(y) - q(y))

and where none is refused, one more from the target's last distribution. What comes out follows p exactly, whatever the
draft is; at temperature 0 it is the target's own greedy text. If guesses are kept with probability alpha each, a step
yields (1 - alpha^(gamma + 1)) / (1 - alpha) tokens on average, and with a draft that costs the share c of a target's
pass the text comes

    (1 - alpha^(gamma + 1)) / ((1 - alpha) (gamma c + 1))

times as fast. A token tree judges several continuations in the same pass; a mask keeps branches apart [specinfer].

Letters: P tokens of a prompt, gamma proposals a step, V vocabulary, K branches of the tree, T tokens of one pass.

Sizes: ``tiny`` random models of V 32, C 32, P 7, 19 new tokens; ``cpu`` and ``gpu`` the testbed's house models, which
read bytes: V 256, target 1.8 M parameters, draft 0.2 M, P 48, 40 and 128 new tokens.
"""
