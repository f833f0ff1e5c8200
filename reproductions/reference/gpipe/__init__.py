"""GPipe: a model cut into stages, a batch cut into micro-batches, activations computed twice [gpipe].

L blocks are cut into p consecutive stages, one to a process. A batch of N rows is cut into m micro-batches that follow
one another through the stages: first all forward, then all backward in the opposite order. A stage keeps the m inputs
it was given and nothing else; before the backward of a micro-batch it computes its forward again (rematerialisation).
Gradients are added up over the micro-batches, so that the step is the one that an undivided model would take.

With equal stages a step takes m + p - 1 slots instead of m p, of which each stage works in m:

    speed-up = p m / (m + p - 1)        bubble = (p - 1) / (m + p - 1)

At m = 1 the stages only take turns, and at p = 1 there is but one: the null points. A stage keeps N d values for its
inputs and the inner activations of one micro-batch; a model that stores everything keeps those of the whole batch.

The model is a stack of residual blocks x + tanh(x A^T + a) B^T + b under the loss sum |y - t|^2 / (2 N).

Letters: p stages, m micro-batches, N rows, d width, h inner width, L blocks; F, R, B are the forward, the recomputed
forward and the backward of one micro-batch on one stage. Sizes: see ``SHAPES`` in ``workload.py``.
"""
