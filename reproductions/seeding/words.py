"""Words of synthetic texts: some in every other title, some in one of a hundred thousand."""

from itertools import accumulate
from random import Random

COMMON = (
    "model language large efficient inference training attention memory transformer acceleration quantisation serving "
    "parallel sparse pruning distillation cache throughput latency kernel scheduling batching compression pipeline "
    "adaptive decoding fast low rank optimiser gradient communication expert mixture offloading precision tokens "
    "context long speculative scalable distributed hardware aware fused dynamic structured layer weight activation "
    "embedding fine tuning prompt energy cost cluster device edge mobile cloud heterogeneous asynchronous elastic "
    "resilient checkpoint recomputation tensor shard data hybrid search graph compiler runtime memory-bound roofline "
    "benchmark evaluation accuracy loss calibration outlier rotation vector codebook binary ternary integer floating "
    "block tile warp register bandwidth network topology ring tree collective overlap prefetch eviction paging"
)
SYLLABLES = "ba be bo da de do fa fi ga ge ka ki ko la le lo ma mi mo na ne no pa po ra re ro sa se ta te to va vo"
RARE = 4000


class Words:
    """Draws words by their frequency: the rank decides, as in real texts."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.syllables = SYLLABLES.split()
        self.all = [*COMMON.split(), *("".join(draw.choices(self.syllables, k=3)) for _ in range(RARE))]
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.all))))

    def some(self, number: int) -> list[str]:
        """So many words."""
        return self.draw.choices(self.all, cum_weights=self.weights, k=number)

    def title(self) -> str:
        """A title of five to eleven words."""
        text = " ".join(self.some(self.draw.randint(5, 11)))
        return text[:1].upper() + text[1:]

    def name(self) -> str:
        """A name of nobody: Last, F."""
        last = "".join(self.draw.choices(self.syllables, k=3)).capitalize()
        return f"{last}, {self.draw.choice('ABCDEFGHIJKLMNOPRSTVW')}."
