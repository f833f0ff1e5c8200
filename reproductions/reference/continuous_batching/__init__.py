"""Iteration-level scheduling with selective batching [orca].

A server answers N requests with a decoder. Request r has a prompt of P_r tokens, wants n_r new ones and arrives at time
a_r; nobody but the model knows n_r before the last token comes out. At most S requests are computed at a time, and
their keys and values may take at most M slots of memory.

Request-level scheduling (the baseline) takes up to S requests, pads their prompts to the longest and lets none go
before all are done: a batch costs max n_r iterations of S rows, whatever the others wanted, and whoever arrives
meanwhile waits for all of it. Iteration-level scheduling looks at the pool before every iteration: those that are done
leave, those that wait come in, first come first served.

The requests of one iteration then have different lengths, and newcomers bring whole prompts. Selective batching puts
all their tokens into one matrix of T rows for everything that treats tokens alone (projections, norms, feed-forward)
and calls attention for each request apart, over its own keys and values.

Letters: N requests, S most running at a time (``slots``), M slots of keys and values (``memory``), P_r and n_r lengths
of prompt and answer, a_r arrival, T tokens of an iteration, C width of the model, H heads, G key heads, D = C / H.
"""
