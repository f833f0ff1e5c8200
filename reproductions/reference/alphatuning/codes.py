"""Binary-coding quantisation: greedy and alternating, and the packing of signs into bits."""

import torch
from torch import Tensor


def greedy(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Scales [q, R] and signs [q, R, C] of ``weight`` [R, C], one pattern after the other from what is left."""
    rest, scales, signs = weight, [], []
    for _ in range(bits):
        signs.append(torch.where(rest < 0, -1.0, 1.0).to(weight.dtype))
        scales.append(rest.abs().mean(1))
        rest = rest - scales[-1][:, None] * signs[-1]
    return torch.stack(scales), torch.stack(signs)


def alternating(weight: Tensor, bits: int, rounds: int) -> tuple[Tensor, Tensor]:
    """The same, improved ``rounds`` times: the best scales for the signs, then the nearest signs for the scales."""
    scales, signs = greedy(weight, bits)
    for _ in range(rounds):
        scales = best_scales(weight, signs)
        signs = nearest_signs(weight, scales)
    return best_scales(weight, signs), signs


def best_scales(weight: Tensor, signs: Tensor) -> Tensor:
    """Least squares for every row: alpha = (B^T B)^-1 B^T w, [q, R]; the smallest one where patterns coincide."""
    b = signs.permute(1, 2, 0)  # [R, C, q]
    return (torch.linalg.pinv(b.mT @ b, hermitian=True) @ b.mT @ weight[:, :, None])[:, :, 0].T


def nearest_signs(weight: Tensor, scales: Tensor) -> Tensor:
    """For every weight the signs [q, R, C] whose sum of scales comes nearest; of equals the first in binary order."""
    bits = len(scales)
    patterns = torch.tensor([[1.0 - 2.0 * (n >> i & 1) for i in range(bits)] for n in range(1 << bits)])
    patterns = patterns.to(weight)  # [2^q, q]
    levels = scales.T @ patterns.T  # [R, 2^q]
    best = torch.full_like(weight, torch.inf)
    chosen = torch.zeros_like(weight, dtype=torch.long)
    for n in range(1 << bits):  # one level at a time, so that no [R, C, 2^q] is ever held
        error = (weight - levels[:, n, None]).abs()
        chosen = torch.where(error < best, n, chosen)
        best = torch.minimum(error, best)
    return patterns[chosen].permute(2, 0, 1).contiguous()


def recompose(scales: Tensor, signs: Tensor) -> Tensor:
    """The weights that the codes stand for, [R, C]."""
    return torch.einsum("qr,qrc->rc", scales, signs)


def pack(signs: Tensor) -> Tensor:
    """Signs [..., C] as bits [..., ceil(C / 8)] uint8: the first of eight columns in the lowest bit, 1 for +1."""
    columns = signs.shape[-1]
    bits = torch.nn.functional.pad((signs > 0).to(torch.uint8), (0, -columns % 8)).unflatten(-1, (-1, 8))
    return (bits << torch.arange(8, dtype=torch.uint8, device=signs.device)).sum(-1, dtype=torch.uint8)


def signs_of(packed: Tensor, columns: int, dtype: torch.dtype) -> Tensor:
    """The signs [..., C] behind ``pack``."""
    bits = packed[..., None] >> torch.arange(8, dtype=torch.uint8, device=packed.device) & 1
    return bits.flatten(-2)[..., :columns].to(dtype).mul_(2).sub_(1)
