"""What is counted and not timed: bytes, hops, work done again; and what eight bits on the wire cost on a real model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.petals import schedule, wire
from reproductions.reference.petals.method import Count, talk
from reproductions.reference.petals.workload import Chat
from reproductions.testbed.text import excerpts, manual
from reproductions.testbed.transformer import Decoder
from reproductions.testbed.weights import load_house

SEEN = 256  # bytes of a text that are read at once


def quality(w: Chat) -> Sequence[Quality]:
    """Traffic of a session, and, where there is no distance, eight bits on the wire."""
    _, happened = talk(w, keep=True)
    kept = happened.bytes / 2
    found = [
        Quality("swarm", "hops a token", happened.hops / w.count, "hops", "lower"),
        Quality("swarm", "wire bytes a session", happened.bytes, "B", "lower"),
        Quality("swarm", "inputs kept", kept, "B", "lower", "by the client"),
    ]
    if w.delay == 0 and len(w.model.blocks) > 5:
        found += eight_bits(w)
    return found


def failures(w: Chat) -> Sequence[Quality]:
    """Block passes that deaths make necessary a second time, and traffic."""
    counts: dict[str, Count] = {"restart": talk(w, keep=False)[1], "replay": talk(w, keep=True)[1]}
    repeated = [Quality(n, "passes repeated", c.repeated, "token blocks", "lower") for n, c in counts.items()]
    return repeated + [Quality(n, "wire bytes a session", c.bytes, "B", "lower") for n, c in counts.items()]


def simulated(plan: schedule.Plan) -> Sequence[Quality]:
    """Tokens a second of the simulated sessions."""
    return [
        Quality(name, "throughput", plan.count / run(plan).makespan, "token/s", "higher", "simulated")
        for name, run in schedule.METHODS.items()
    ]


def eight_bits(w: Chat) -> list[Quality]:
    """The house model on Python's manual, its hidden states coded once to a server of each of two halves and back."""
    happened = talk(w, keep=True, bits=wire.EIGHT)[1]
    model = load_house("target")
    text = torch.tensor(list(excerpts(manual(), 8, SEEN))).view(-1, SEEN)
    half = len(model.blocks) // 2
    found = [Quality("swarm", "wire bytes a session", happened.bytes, "B", "lower", "8-bit hidden states")]
    for detail, bits in (("whole hidden states", wire.WHOLE), ("8-bit hidden states", wire.EIGHT)):
        value = bits_per_byte(model, text, half, bits)
        found.append(Quality("swarm", "bits per byte", value, "bit", "lower", f"house model, {detail}"))
    return found


@torch.no_grad()
def bits_per_byte(model: Decoder, text: Tensor, half: int, bits: int) -> float:
    """Mean surprise at the bytes of ``text`` [N, T], where all that passes a wire is coded as ``bits`` says."""
    x, span = model.embed(text), model.span(text.shape[1])
    for part in (model.blocks[:half], model.blocks[half:]):
        x = coded(x, bits)
        for block in part:
            x = block(x, span)
        x = coded(x, bits)
    logits = model.head(model.norm(x[:, :-1])).log_softmax(-1)
    return float(-logits.gather(-1, text[:, 1:, None]).mean() / torch.log(torch.tensor(2.0)))


def coded(x: Tensor, bits: int) -> Tensor:
    """``x`` [N, T, C] as it comes out at the other end of the wire."""
    rows = x.reshape(1, -1, x.shape[-1])
    data = bytearray(wire.encode(rows, bits))
    return wire.decode(data, rows.shape[1], rows.shape[2], bits, x.dtype).view_as(x)
