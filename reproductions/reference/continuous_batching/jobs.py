"""What a server keeps of a request while it is at work, and of its whole day."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from reproductions.reference.continuous_batching.workload import Request


@dataclass(eq=False)
class Job:
    """A request at work: its slots of keys and values [layers, 2, G, reserved, D], and what has come out."""

    request: Request
    kv: Tensor
    stored: int = 0  # slots in use
    answer: list[Tensor] = field(default_factory=list)
    done_at: float = 0.0

    @property
    def tokens(self) -> Tensor:
        """What it brings to the next iteration: its prompt first, then the token that came out last."""
        return self.answer[-1].view(1) if self.answer else self.request.prompt

    @property
    def done(self) -> bool:
        """Whether the last token has come out."""
        return len(self.answer) == self.request.count


@dataclass
class Day:
    """What a server did: each job in order of request, iterations, and token rows that went through the model."""

    jobs: list[Job]
    iterations: int = 0
    rows: int = 0

    @property
    def answers(self) -> list[Tensor]:
        """The texts, [n_r] tokens each."""
        return [torch.stack(job.answer) for job in self.jobs]
