"""One launch a region by Triton, and one launch a step by a captured CUDA graph."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from reproductions.reference.deepspeed_inference.method import Buffers, Regions, decode, fused, prepare, step
from reproductions.reference.deepspeed_inference.workload import Batch

GRAPHS: WeakKeyDictionary[Batch, tuple[Buffers, torch.cuda.CUDAGraph]] = WeakKeyDictionary()


def capture(w: Batch, regions: Regions) -> tuple[Buffers, torch.cuda.CUDAGraph]:
    """Record one step. The regions must find the position on the device: the host's is frozen into the graph."""
    s, graph, side = prepare(w), torch.cuda.CUDAGraph(), torch.cuda.Stream()
    s.token.zero_()
    s.position.fill_(w.prompt.shape[4])
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # a first run outside the graph compiles and allocates
        step(w, s, regions, w.prompt.shape[4])
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        step(w, s, regions, w.prompt.shape[4])
    return s, graph


def fused_graph(w: Batch, regions: Regions) -> Tensor:
    """The fused step captured once for a batch's shapes and weights, then replayed: one launch a token."""
    if not w.embedding.is_cuda:  # a processor launches nothing: there the steps run as they are
        return fused(w, regions)
    s, graph = GRAPHS.get(w) or GRAPHS.setdefault(w, capture(w, regions))
    s.cache[..., : w.prompt.shape[4], :] = w.prompt
    return decode(w, s, lambda at: graph.replay())


def fused_triton(w: Batch) -> Tensor:
    """The technique with one Triton kernel a region."""
    from reproductions.reference.deepspeed_inference.kernel import REGIONS

    return fused(w, REGIONS)


def fused_triton_graph(w: Batch) -> Tensor:
    """The same, a step replayed as one CUDA graph."""
    from reproductions.reference.deepspeed_inference.kernel import REGIONS

    return fused_graph(w, REGIONS)
