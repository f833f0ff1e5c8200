"""The least work of a step, and what must cross the wire."""

from reproductions.harness.spec import Bound
from reproductions.reference.megatron_tensor_parallel.workload import Batch


def bound(w: Batch) -> Bound:
    """The least work of a step, all ranks together, and the bytes on the wire of one rank [megatron-3d].

    Forward and both backward products of every matrix, causal attention on the pairs that it needs; one read and one
    write of the weights. The wire: 4 all-reduces of B S d values a layer and two for the ends, three of B S values for
    the loss.
    """
    batch, length = w.tokens.shape
    vocabulary, d = w.model.embedding.shape
    layers, size = len(w.model.layers), w.world.size if w.world else 1
    matrices = 12 * d * d * layers + vocabulary * d
    pairs = batch * length * (length + 1) / 2
    values = 2 * sum(t.numel() for t in w.model.tensors.values())
    item = w.model.embedding.element_size()
    summed = batch * length * ((4 * layers + 2) * d * item + 3 * max(item, 4))  # the loss is at least float32
    return Bound(
        flops=6.0 * batch * length * matrices + 12.0 * pairs * d * layers,
        bytes=float(values * item),
        wire=2 * (size - 1) / size * summed,
    )
