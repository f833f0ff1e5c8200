r"""Petals: the blocks of one model on many unreliable servers, a client that routes and remembers [petals].

Each server holds a run of consecutive blocks [a, b) and announces it. A client keeps embedding and head, and sends
hidden states through a chain of servers whose spans cover blocks 0 .. L. Server s takes p_s seconds for a block and is
d_s seconds away, one way, so that a hop over the blocks [a, b) costs a token

    2 d_s + (b - a) p_s

and the chain is a shortest path from block 0 to block L. Servers keep the attention cache of the session. The client
keeps what it sent to each hop: when a server dies after t tokens, the t rows kept for that hop are sent to another
server (or several) that holds the same blocks, which rebuilds the cache in one pass; all other hops go on as if nothing
had happened. What is computed again is t (b - a) block passes, where a client that keeps only its text repeats t L.
The tokens are those of the whole model on one machine.

Letters: L blocks, C width, P tokens of a prompt, T rows of one message, S hops of the chain. A span [a, b) is
``first`` and ``last``, where ``last`` is outside; p is ``pace`` and d is ``delay``.

Servers are real processes on the loopback interface, their deaths are real kills, and the distance between them is
injected: each message is held back by d seconds. Sizes: see ``SHAPES`` in ``workload.py``.
"""
