"""Seeded workloads: drawn on the CPU, then moved."""

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.lightseq2.regions import ready_to_compile
from reproductions.reference.lightseq2.workload import Shape, Step, Update

SHAPES: dict[Size, tuple[int, int, int]] = {  # N, V, layers
    "tiny": (37, 77, 2),
    "cpu": (512, 2048, 2),
    "gpu": (8192, 32768, 6),
}
VALUES: dict[Size, int] = {"tiny": 2507, "cpu": 1 << 20, "gpu": 1 << 28}  # in the workspace of an update


def make_step(place: Place, width: int) -> Step:
    """A step through layers of ``width`` with weights of the usual scales; a tenth of the values drops."""
    rows, words, layers = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return mean + scale * torch.randn(shape, generator=generator)

    shapes: list[Shape] = [*([(width, width), (width,), (width,), (width,)] * layers), (words, width)]
    params = []
    for _ in range(layers):
        params += [draw(width, width, scale=width**-0.5).flatten(), draw(width, scale=0.1)]
        params += [draw(width, scale=0.1, mean=1.0), draw(width, scale=0.1)]
    params.append(draw(words * width, scale=width**-0.5))
    return Step(
        x=draw(rows, width).to(place.device, place.dtype),
        params=torch.cat(params).to(place.device, place.dtype),
        shapes=shapes,
        keep=(torch.rand(layers, rows, width, generator=generator) >= Step.drop).to(place.device),
        target=torch.randint(words, (rows,), generator=generator).to(place.device),
        compiled=place.size != "tiny" and ready_to_compile(),
    )


def sizes(total: int, tensors: int, generator: torch.Generator) -> list[int]:
    """``tensors`` sizes of at least 1 that differ up to threefold and add up to ``total``.

    Raises ``ValueError`` where there are more tensors than values.
    """
    if tensors > total:
        raise ValueError(f"{total} values cannot fill {tensors} tensors")
    shares = 0.5 + torch.rand(tensors, generator=generator)
    ends = ((total - tensors) * (shares.cumsum(0) / shares.sum())).long()
    ends[-1] = total - tensors
    return (ends.diff(prepend=ends.new_zeros(1)) + 1).tolist()


def make_update(place: Place, tensors: int) -> Update:
    """One update, somewhere in a training, of ``tensors`` tensors in a workspace of ``VALUES`` values."""
    total = VALUES[place.size]
    generator = torch.Generator().manual_seed(place.seed)
    p, g, m, v = torch.randn(4, total, generator=generator)
    wide = torch.promote_types(place.dtype, torch.float32)
    return Update(
        p=(0.02 * p).to(place.device, place.dtype),
        g=(0.01 * g).to(place.device, place.dtype),
        m=(0.01 * m).to(place.device, wide),
        v=(1e-4 * v.square() + 1e-6).to(place.device, wide),
        shapes=[(size,) for size in sizes(total, tensors, generator)],
        step=int(torch.randint(1, 1000, (), generator=generator)),
        compiled=place.size != "tiny" and ready_to_compile(),
    )
