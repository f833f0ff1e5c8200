"""The truth: one process, the undivided model, float64, one sequence and one head at a time, from definitions.

No fused operator and no custom gradient: matrix products, exponentials and the error function, and what autograd makes
of them. The project's tests hold its gradients against slopes of the loss.
"""

import math

import torch
from torch import Tensor

from reproductions.reference.megatron_tensor_parallel.workload import Batch, Layer, Model, Plan, Step, make_model


def oracle(w: Batch) -> Step:
    """Loss, output and all gradients in float64."""
    model = make_model({name: t.detach().double().requires_grad_() for name, t in w.model.tensors.items()})
    with torch.enable_grad():
        outputs = torch.stack([decoder(tokens, model, w.heads) for tokens in w.tokens])
        logits = outputs @ model.embedding.T
        loss = torch.stack(
            [
                torch.log(torch.exp(scores).sum()) - scores[target]
                for scores, target in zip(logits.flatten(0, 1), w.targets.flatten().tolist(), strict=True)
            ]
        ).mean()
    gradients = torch.autograd.grad(loss, list(model.tensors.values()))
    return Step(loss.detach(), outputs.detach(), dict(zip(model.tensors, gradients, strict=True)))


def decoder(tokens: Tensor, model: Model, heads: int) -> Tensor:
    """One sequence, tokens (S,) to (S, d)."""
    x = model.embedding[tokens] + model.positions
    for layer in model.layers:
        x = x + attention(normalised(x, layer.norm1, layer.norm1_bias), layer, heads)
        inner = normalised(x, layer.norm2, layer.norm2_bias) @ layer.up.T + layer.up_bias
        x = x + (inner * (1 + torch.erf(inner / math.sqrt(2))) / 2) @ layer.down.T + layer.down_bias
    return normalised(x, model.norm, model.norm_bias)


def normalised(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each row of x (S, d) to mean 0 and variance 1, then scaled and shifted."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * weight + bias


def attention(x: Tensor, p: Layer, heads: int) -> Tensor:
    """Causal self-attention of one sequence x (S, d), head after head."""
    length, d = x.shape
    width = d // heads
    future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
    found = []
    for head in range(heads):
        start = 3 * width * head
        q, k, v = (
            x @ p.qkv[start + i * width : start + (i + 1) * width].T + p.qkv_bias[start + i * width :][:width]
            for i in range(3)
        )
        weights = torch.exp((q @ k.T / math.sqrt(width)).masked_fill(future, -math.inf))
        found.append(weights / weights.sum(-1, keepdim=True) @ v)
    return torch.cat(found, -1) @ p.out.T + p.out_bias


def makespans(plan: Plan) -> dict[str, float]:
    """Seconds of a step for each method. All ranks are alike, so nobody waits: work and all-reduces only add up.

    A ring takes 2 (p - 1) / p of the bytes over the link: 4 L + 2 times those of B S d values (two a layer each way,
    embedding, output), three times those of B S values.
    """
    sent = 2 * (plan.ranks - 1) / plan.ranks * ((4 * plan.layers + 2) * plan.hidden + 3 * plan.scalars)
    work = [
        sum(cost.embedding) + sum(cost.head) + plan.layers * (sum(cost.attention) + sum(cost.mlp))
        for cost in (plan.whole, plan.share)
    ]
    links = {"nvlink": 150e9, "pcie": 15.75e9, "ethernet": 1.25e9}
    return {"one-device": work[0]} | {f"tensor-parallel-{name}": work[1] + sent / link for name, link in links.items()}
