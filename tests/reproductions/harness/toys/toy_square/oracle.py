"""The triple sum, written out, in float64."""

from typing import Any

import torch
from torch import Tensor


def truth(w: Any) -> Tensor:
    """Sum over j and k of x_ij x_kj x_kl."""
    x = w.x.double()
    return torch.einsum("ij,kj,kl->il", x, x, x)
