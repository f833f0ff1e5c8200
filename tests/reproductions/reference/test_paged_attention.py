"""PagedAttention: no block leaked or freed twice, copy-on-write, exact cases, planted faults, the kernel."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.reference.paged_attention import benchmark, cache, method
from reproductions.reference.paged_attention.blocks import BlockManager, OutOfMemory
from reproductions.reference.paged_attention.cache import ContiguousCache, PagedCache, store
from reproductions.reference.paged_attention.oracle import attention_over, decode_oracle, serving_oracle
from reproductions.reference.paged_attention.peers import torch_flex_paged
from reproductions.reference.paged_attention.workload import LONGEST, Decode, Requests, make_decode, make_requests

torch.set_num_threads(1)  # many small products: a second thread only waits
BLOCKS = (1, 5, 16)
BOTH = [method.serve_contiguous, method.serve_paged]


def requests(block: int = 5, seed: int = 3, dtype: torch.dtype = torch.float32) -> Requests:
    return make_requests(Place("cpu", dtype, seed, "tiny"), block)


def step(block: int = 5, seed: int = 3, dtype: torch.dtype = torch.float32) -> Decode:
    return make_decode(Place("cpu", dtype, seed, "tiny"), block)


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth).norm() / truth.norm())


class Blocks(RuleBasedStateMachine):
    """Random growth, forks and releases over a cache of nine blocks, beside a model: plain lists of tokens."""

    SIZE, TOTAL = 4, 9

    def __init__(self) -> None:
        super().__init__()
        self.cache = PagedCache(self.SIZE * self.TOTAL, self.SIZE, torch.zeros(1, 1))
        self.model: dict[int, list[int]] = {}
        self.named = 0
        self.tokens = 0

    def pick(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.model)))

    def append(self, sequence: int, count: int) -> None:
        before = copy.deepcopy(vars(self.cache.blocks))
        try:
            slots = self.cache.extend(sequence, count)
        except OutOfMemory:
            assert vars(self.cache.blocks) == before
            return
        new = list(range(self.tokens + 1, self.tokens + count + 1))
        self.tokens += count
        values = torch.tensor(new, dtype=torch.float32).view(-1, 1, 1)
        store(self.cache, slots, values, -values)
        self.model[sequence] = self.model.get(sequence, []) + new

    @rule(count=st.integers(1, 11))
    def arrive(self, count: int) -> None:
        self.named += 1
        self.append(self.named, count)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), count=st.integers(0, 6))
    def extend(self, data: st.DataObject, count: int) -> None:
        self.append(self.pick(data), count)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        parent, free = self.pick(data), len(self.cache.free)
        self.named += 1
        self.cache.blocks.fork(parent, self.named)
        self.model[self.named] = list(self.model[parent])
        assert len(self.cache.free) == free

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        sequence = self.pick(data)
        self.cache.release(sequence)
        del self.model[sequence]
        with pytest.raises(KeyError):
            self.cache.release(sequence)

    @invariant()
    def every_block_is_free_once_or_counted(self) -> None:
        manager = self.cache.blocks
        held = [block for table in manager.tables.values() for block in table]
        assert manager.references == [held.count(block) for block in range(self.TOTAL)]
        assert sorted([*manager.free, *set(held)]) == list(range(self.TOTAL))

    @invariant()
    def every_sequence_reads_its_own_tokens(self) -> None:
        if self.model:
            k, v, lengths = self.cache.read(sorted(self.model))
            for row, sequence in enumerate(sorted(self.model)):
                kept = k[row, : lengths[row]].flatten().tolist()
                assert kept == self.model[sequence]
                assert v[row, : lengths[row]].flatten().tolist() == [-token for token in kept]

    def teardown(self) -> None:
        for sequence in self.model:
            self.cache.release(sequence)
        assert sorted(self.cache.free) == list(range(self.TOTAL))
        assert not any(self.cache.blocks.references)


Blocks.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
TestBlocks = Blocks.TestCase


def fork_and_part(block: int = 4, prompt: int = 6) -> tuple[PagedCache, list[float], list[float]]:
    """Two sequences with one prompt, of which the second writes first. What both then read."""
    both = PagedCache(block * 8, block, torch.zeros(1, 1))
    for sequence, tokens in ((0, list(range(1, prompt + 1))), (1, [100, 101]), (0, [200])):
        if sequence == 1:
            both.blocks.fork(0, 1)
        values = torch.tensor(tokens, dtype=torch.float32).view(-1, 1, 1)
        store(both, both.extend(sequence, len(tokens)), values, values)
    k, _, lengths = both.read([0, 1])
    first, second = (k[row, :n].flatten().tolist() for row, n in enumerate(lengths.tolist()))
    return both, first, second


def test_a_fork_parts_by_copying_one_block() -> None:
    both, first, second = fork_and_part()
    assert first == [1, 2, 3, 4, 5, 6, 200]
    assert second == [1, 2, 3, 4, 5, 6, 100, 101]
    tables = both.blocks.tables
    assert tables[0][0] == tables[1][0]
    assert tables[0][1] != tables[1][1]


def test_a_full_last_block_is_shared_without_a_copy() -> None:
    both, first, second = fork_and_part(prompt=8)
    assert (first[-1], second[-2:]) == (200, [100, 101])
    assert both.blocks.tables[0][:2] == both.blocks.tables[1][:2]
    assert len(both.free) == 8 - 4


def test_without_copy_on_write_the_other_sequence_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    real = BlockManager.extend

    def careless(self: BlockManager, sequence: int, tokens: int) -> tuple[int, int] | None:
        counts, self.references = self.references, [1] * len(self.references)
        try:
            return real(self, sequence, tokens)
        finally:
            self.references = counts

    monkeypatch.setattr(BlockManager, "extend", careless)
    _, _, second = fork_and_part()
    assert second != [1, 2, 3, 4, 5, 6, 100, 101]
    monkeypatch.undo()
    _, _, second = fork_and_part()
    assert second == [1, 2, 3, 4, 5, 6, 100, 101]


def test_what_cannot_be_done_is_refused_and_changes_nothing() -> None:
    manager = BlockManager(3, 4)
    manager.extend(0, 5)
    manager.fork(0, 1)
    before = copy.deepcopy(vars(manager))
    with pytest.raises(OutOfMemory, match="needs 2 more blocks, 1 are free"):
        manager.extend(1, 4)  # one to copy the half-full block into, one new
    with pytest.raises(ValueError, match="exists"):
        manager.fork(0, 1)
    with pytest.raises(ValueError, match="take 1 tokens away"):
        manager.extend(0, -1)
    with pytest.raises(KeyError):
        manager.release(7)
    with pytest.raises(KeyError):
        manager.fork(7, 8)
    assert vars(manager) == before
    with pytest.raises(ValueError, match="blocks"):
        BlockManager(0, 4)


def test_a_contiguous_cache_refuses_too() -> None:
    rows = ContiguousCache(20, 8, torch.zeros(1, 1))
    assert rows.extend(0, 3) + rows.extend(0, 1) == [0, 1, 2, 3]
    assert rows.extend(1, 8) == list(range(8, 16))
    for sequence, tokens in ((2, 1), (1, 1)):
        with pytest.raises(OutOfMemory):
            rows.extend(sequence, tokens)
    rows.release(1)
    assert rows.extend(2, 1) == [8]


@pytest.mark.parametrize("block", [*BLOCKS, LONGEST])
@pytest.mark.parametrize("run", BOTH)
def test_serving_agrees_with_the_oracle(run: Callable[[Requests], Tensor], block: int) -> None:
    w = requests(block, dtype=torch.float64)
    assert error(run(w), serving_oracle(w)) < 1e-13


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("run", [method.attend_contiguous, method.attend_paged])
def test_one_step_agrees_with_the_oracle(run: Callable[[Decode], Tensor], block: int) -> None:
    w = step(block, dtype=torch.float64)
    assert error(run(w), decode_oracle(w)) < 1e-13


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_the_peer_agrees_with_the_oracle() -> None:
    w = step(16)
    assert error(torch_flex_paged(w), decode_oracle(w)) < 1e-5


def test_the_oracle_is_softmax_attention() -> None:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(n, 4, 8, generator=generator, dtype=torch.float64) for n in (1, 7, 7))
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1)[0]
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    assert error(attention_over(q[0], k, v), expected) < 1e-14


def test_blocks_of_the_longest_length_are_the_contiguous_cache() -> None:
    w = requests(LONGEST)
    assert torch.equal(method.serve_paged(w), method.serve_contiguous(w))
    assert benchmark.claim(w) == 1
    values = {(q.method, q.metric): q.value for q in benchmark.serving_quality(w)}
    for metric in ("requests held", "waste", "requests an iteration"):
        assert values["paged", metric] == values["contiguous", metric]


@pytest.mark.parametrize("block", [1, 5, 16, 64])
def test_waste_is_what_the_lengths_say(block: int) -> None:
    w = requests(block)
    found = {(q.method, q.metric): q.value for q in benchmark.serving_quality(w)}
    many = w.lengths * 8
    held = int(found["paged", "requests held"])
    assert sum(-(-n // block) for n in many[:held]) <= w.slots // block < sum(-(-n // block) for n in many[: held + 1])
    full = sum(-(-n // block) * block for n in many[:held])
    assert found["paged", "waste"] == pytest.approx(1 - sum(many[:held]) / full)
    assert full - sum(many[:held]) < held * block
    rows = w.slots // LONGEST
    assert found["contiguous", "requests held"] == rows
    assert found["contiguous", "waste"] == pytest.approx(1 - sum(many[:rows]) / (rows * LONGEST))
    assert found["paged", "requests held"] > rows


def test_the_schedule_answers_every_token_once_and_evicts_the_youngest() -> None:
    prompts, lengths = [5, 3, 6], [14, 12, 9]
    full = PagedCache(20, 4, torch.empty(0, 0))
    turns = list(method.iterations(full, prompts, lengths))
    answered = [sum(turn.running.count(r) for turn in turns) for r in range(3)]
    assert answered == [n - p for p, n in zip(prompts, lengths, strict=True)]
    arrivals = [r for turn in turns for r, _ in turn.admitted]
    assert len(arrivals) > 3, "this memory is meant to be too small"
    assert turns[0].running == [0, 1, 2]
    assert arrivals.count(0) == 1, "the oldest is never evicted"
    assert len(full.free) == 5
    assert all(len(turn.slots) == len(turn.running) == len(set(turn.slots)) for turn in turns)


def test_an_evicted_request_gets_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    w = requests(5, dtype=torch.float64)
    w.slots = 5 * -(-max(w.lengths) // 5) + 10  # little more than the longest request needs
    turns = list(method.iterations(PagedCache(w.slots, 5, torch.empty(0, 0)), w.prompts, w.lengths))
    assert sum(len(turn.admitted) for turn in turns) > len(w.prompts)
    assert error(method.serve_paged(w), serving_oracle(w)) < 1e-13


def test_a_request_that_never_fits_is_an_error_and_not_a_hang() -> None:
    for prompts, lengths in (([9], [12]), ([3], [12])):
        with pytest.raises(OutOfMemory):
            list(method.iterations(PagedCache(8, 4, torch.empty(0, 0)), prompts, lengths))


def late(self: BlockManager, sequence: int, start: int) -> list[int]:
    """The planted fault: in a ragged last block, the last token goes one slot too far."""
    table, size, length = self.tables[sequence], self.size, self.lengths[sequence]
    places = [table[p // size] * size + p % size for p in range(start, length)]
    if places and length % size == size - 1:
        places[-1] += 1
    return places


def test_a_slot_off_by_one_in_the_last_block_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockManager, "slots", late)
    w = requests()
    assert error(method.serve_paged(w), serving_oracle(w)) > 1e-3
    one = step()
    assert error(method.attend_paged(one), decode_oracle(one)) > 1e-3


def test_a_length_off_by_one_and_a_wrong_block_are_caught() -> None:
    w = step()
    truth = decode_oracle(w)
    w.lengths -= 1
    assert error(method.attend_paged(w), truth) > 1e-3
    w.lengths += 1
    w.table[0, [0, 1]] = w.table[0, [1, 0]]  # softmax does not mind the order of whole blocks
    assert error(method.attend_paged(w), truth) < 1e-5
    w.table[0, 0] = w.table[-1, 0]
    assert error(method.attend_paged(w), truth) > 1e-3


def test_what_lies_beyond_a_length_never_shows() -> None:
    w = step()
    before = method.attend_paged(w)
    written = {
        int(b) * 5 + p % 5
        for row, n in zip(w.table, w.lengths, strict=True)
        for p, b in zip(range(int(n)), row.repeat_interleave(5), strict=False)
    }
    for x in (w.blocks_k, w.blocks_v):
        empty = [slot for slot in range(x.shape[0] * 5) if slot not in written]
        x.flatten(0, 1)[empty] = 1e6
    assert torch.equal(method.attend_paged(w), before)


def test_the_table_reads_any_ragged_width() -> None:
    blocks = torch.arange(24.0).view(6, 4, 1, 1)
    table = torch.tensor([[5, 0, 3], [2, 4, 0]])
    for longest in (1, 3, 4, 9, 12):
        expected = [[float(int(row[p // 4]) * 4 + p % 4) for p in range(longest)] for row in table]
        assert cache.through_table(blocks, table, longest).flatten(1).tolist() == expected


def test_sharing_is_counted_in_blocks() -> None:
    (quality,) = benchmark.decode_quality(step(1))
    w = step(1)
    assert quality.value == pytest.approx(1 - len({t for log in w.log for t in log}) / sum(map(len, w.log)))


UNDER_INTERPRETER = """
import torch
from reproductions.harness.spec import Place
from reproductions.reference.paged_attention import kernel, method, oracle, workload
torch.set_num_threads(1)
for dtype, limit in ((torch.float32, 1e-5), (torch.float16, 2e-3)):
    w = workload.make_decode(Place("cpu", dtype, 5, "tiny"), 5)
    w.q, w.table, w.lengths = w.q[:4], w.table[:4], w.lengths[:4]
    w.log = w.log[:4]
    truth = oracle.decode_oracle(w)
    def error(lengths, tile):
        got = kernel.paged_attention(w.q, w.blocks_k, w.blocks_v, w.table, lengths, tile)
        return float((got.double() - truth).norm() / truth.norm())
    assert max(w.lengths) > 16 and any(w.lengths % 16), w.lengths
    for tile in (16, 64):
        assert error(w.lengths, tile) < limit, f"{dtype}, tile {tile}: {error(w.lengths, tile)}"
    assert error(w.lengths - 1, 16) > 1e-2, "a length off by one went unseen"
"""


def test_the_kernel_is_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command: Sequence[str] = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_importing_needs_no_triton() -> None:
    code = "import sys, reproductions.reference.paged_attention.benchmark; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
