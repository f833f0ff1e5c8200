"""The seeded workloads: drawn on the CPU, then moved."""

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.qmoe.method import dictionary, encode, pack
from reproductions.reference.qmoe.quantise import levels, round_to_nearest
from reproductions.reference.qmoe.trained import stacked
from reproductions.reference.qmoe.workload import HIGH, LOW, ZERO, Compressed, Experts, Matrix, weights_of

SHAPES: dict[Size, tuple[int, int]] = {"tiny": (37, 601), "cpu": (2048, 4096), "gpu": (8192, 4096)}  # R, C
WEIGHTS: dict[Size, int] = {"tiny": 4000, "cpu": 2**20, "gpu": 2**25}  # R C where C is swept
ENTRIES: dict[Size, int] = {"tiny": 2**10, "cpu": 2**16, "gpu": 2**16}  # D
EXPERTS: dict[Size, tuple[int, int, int, int]] = {  # E, R, C, tokens of the busiest expert
    "tiny": (5, 12, 43, 120),
    "cpu": (16, 160, 96, 1024),
    "gpu": (16, 1024, 256, 4096),
}


def compressed(place: Place, codes: Tensor, grid: Tensor, x: Tensor) -> Matrix:
    """A matrix in every form, from codes [R, C], grid [R, 2] and input [C] on the CPU."""
    d = dictionary(float((codes == 0).double().mean()), ENTRIES[place.size])
    weight, kept = weights_of(codes, grid.to(place.dtype)), encode(codes, d)
    crow = F.pad((codes > 0).sum(1).cumsum(0), (1, 0)).int()
    column, value = (codes > 0).nonzero()[:, 1].int(), weight[codes > 0]
    forms = (weight, grid.to(place.dtype), pack(codes), kept.words, kept.offsets, crow, column, value)
    weight, grid, two, words, offsets, *csr = (t.to(place.device) for t in forms)
    x = x.to(place.device, place.dtype)
    kept = Compressed(words, offsets, kept.columns)
    return Matrix(x, weight, grid, two, kept, d.to(place.device), (csr[0], csr[1], csr[2]))


def make(place: Place, share: float) -> Matrix:
    """Independent codes, zero with probability ``share``, under grids of either sign, and a normal input."""
    generator = torch.Generator().manual_seed(place.seed)
    rows, columns = SHAPES[place.size]
    u = torch.rand(rows, columns, generator=generator)
    codes = torch.where(u < share, ZERO, torch.where(u < (1 + share) / 2, HIGH, LOW)).to(torch.uint8)
    grid = torch.tensor([1.0, -1.0]) * (0.5 + torch.rand(rows, 2, generator=generator))
    return compressed(place, codes, grid, torch.randn(columns, generator=generator))


def make_columns(place: Place, columns: int) -> Matrix:
    """Normal weights in rows of ``columns``, rounded to nearest."""
    generator = torch.Generator().manual_seed(place.seed)
    weight = torch.randn(WEIGHTS[place.size] // columns, columns, generator=generator)
    allowed = levels(weight, 3, place.dtype)
    codes = round_to_nearest(weight, allowed)
    return compressed(place, codes, allowed[:, 1:], torch.randn(columns, generator=generator))


def make_trained(place: Place, name: str) -> Matrix:
    """The matrices ``name`` of all experts of the trained mixture, one above the other, in ternary by GPTQ."""
    codes, grid, x = stacked(name, place.seed, 4 if place.size == "tiny" else 32)
    rows = 41 if place.size == "tiny" else len(codes)
    return compressed(place, codes[:rows], grid[:rows], x)


def make_experts(place: Place, group: int) -> Experts:
    """Experts with normal weights and correlated inputs. The busier, the earlier; no token reaches the last one."""
    count, rows, columns, most = EXPERTS[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    counts = [most // (e + 1) for e in range(count - 1)] + [0]
    mix, sizes = draw(columns // 4, columns) * (columns // 4) ** -0.5, draw(columns).exp()
    tokens = sum(counts) + most
    inputs = ((draw(tokens, columns // 4) @ mix + 0.3 * draw(tokens, columns)) * sizes).to(place.device, place.dtype)
    weight = (draw(count, rows, columns) * columns**-0.5).to(place.device, place.dtype)
    real = place.size == "cpu" and group == count
    return Experts(weight, inputs[most:], counts, inputs[:most], group, real=real)
