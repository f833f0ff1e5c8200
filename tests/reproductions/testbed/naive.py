"""The decoder again, in numpy float64, one number at a time where it matters: the truth that the tests compare with."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def normed(x: Array, weight: Array, eps: float) -> Array:
    return np.array([row / np.sqrt(np.mean(row * row) + eps) * weight for row in x])


def turned(x: Array, position: int, theta: float, interleaved: bool) -> Array:
    """One head's vector with each pair (as a complex number) turned by its angle."""
    d = len(x)
    out = np.empty(d)
    for i in range(d // 2):
        first, second = (2 * i, 2 * i + 1) if interleaved else (i, i + d // 2)
        z = complex(x[first], x[second]) * np.exp(1j * position / theta ** (2 * i / d))
        out[first], out[second] = z.real, z.imag
    return out


def attention(x: Array, w: dict[str, Array], prefix: str, heads: int, groups: int, theta: float, inter: bool) -> Array:
    t, c = x.shape
    d = c // heads
    q, k, v = (x @ w[f"{prefix}.{name}_proj.weight"].T for name in "qkv")
    out = np.zeros((t, c))
    for h in range(heads):
        g = h * groups // heads
        mine, theirs = slice(h * d, h * d + d), slice(g * d, g * d + d)
        for i in range(t):
            query = turned(q[i, mine], i, theta, inter)
            scores = [query @ turned(k[j, theirs], j, theta, inter) / np.sqrt(d) for j in range(i + 1)]
            share = np.exp(np.array(scores) - max(scores))
            out[i, mine] = (share / share.sum()) @ v[: i + 1, theirs]
    return out @ w[f"{prefix}.o_proj.weight"].T


def decoder(tokens: list[int], w: dict[str, Array], layers: int, heads: int, groups: int, theta: float, eps: float,
            inter: bool) -> Array:  # fmt: skip
    """Logits [T, V] of one sequence."""
    x = np.array([w["embed.weight"][token] for token in tokens])
    for layer in range(layers):
        b = f"blocks.{layer}"
        h = normed(x, w[f"{b}.attention_norm.weight"], eps)
        x = x + attention(h, w, f"{b}.attention", heads, groups, theta, inter)
        h = normed(x, w[f"{b}.mlp_norm.weight"], eps)
        gate = h @ w[f"{b}.mlp.gate_proj.weight"].T
        up = h @ w[f"{b}.mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[f"{b}.mlp.down_proj.weight"].T
    return normed(x, w["norm.weight"], eps) @ w["head.weight"].T
