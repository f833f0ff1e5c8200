"""QMoE: the codec loses nothing, the dictionary is the best of its kind, ternary GPTQ, products, planted faults."""

import heapq
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.agreement import judge
from reproductions.harness.spec import Place, close
from reproductions.reference.qmoe import batches, method, oracle, quality
from reproductions.reference.qmoe.workload import Dictionary, Matrix


def place(dtype: torch.dtype = torch.float32, seed: int = 2) -> Place:
    return Place("cpu", dtype, seed, "tiny")


@cache
def small(share: float = 0.8, size: int = 200, longest: int = 4) -> Dictionary:
    return method.dictionary(share, size, longest)


def entries(d: Dictionary) -> list[tuple[int, ...]]:
    """Every entry as its codes, read from the 64-bit words."""
    return [tuple((word >> 2 * j) & 3 for j in range(word >> 56)) for word in d.packed.tolist()]


def chance(entry: tuple[int, ...], share: float) -> float:
    return sum(math.log2(share if code == 0 else (1 - share) / 2) for code in entry)


def drawn(rows: int, columns: int, share: float, seed: int = 0) -> Tensor:
    u = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed))
    return torch.where(u < share, 0, torch.where(u < (1 + share) / 2, 1, 2)).to(torch.uint8)


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


# The dictionary


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize(("size", "longest"), [(9, 1), (90, 2), (700, 14), (1000, 3)])
def test_the_dictionary_holds_the_most_probable_strings(share: float, size: int, longest: int) -> None:
    """Against a priority queue that is popped one by one; strings of equal chance may stand for each other."""
    pairs = [(a, b) for a in range(3) for b in range(3)]
    best: list[float] = []
    queue: list[tuple[float, tuple[int, ...]]] = [(-math.inf, pair) for pair in pairs]
    while queue and len(best) < size:
        first, entry = heapq.heappop(queue)
        best.append(-first)
        if len(entry) < 2 * longest:
            for pair in pairs:
                heapq.heappush(queue, (-chance(entry + pair, share), entry + pair))
    found = entries(method.dictionary(share, size, longest))
    assert len(found) == len(set(found)) == min(size, sum(9**n for n in range(1, longest + 1)))
    assert set(pairs) == set(found[:9])
    assert [chance(entry, share) for entry in found[9:]] == pytest.approx(best[9:])


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 1.0])
def test_prefixes_and_suffixes_of_entries_are_entries(share: float) -> None:
    found = set(entries(method.dictionary(share, 2000)))
    assert max(map(len, found)) <= 28
    assert all(entry[:-2] in found and entry[2:] in found for entry in found if len(entry) > 2)


def test_the_forms_of_the_dictionary_agree() -> None:
    d = small()
    for k, entry in enumerate(entries(d)):
        assert d.symbols[k].tolist() == [*entry, *[0] * (8 - len(entry))]
        assert int(d.length[k]) == len(entry)
    at = {entry: k for k, entry in enumerate(entries(d))}
    for k, entry in enumerate([*entries(d), ()]):
        for pair in range(9):
            assert int(d.child[k, pair]) == at.get((*entry, pair // 3, pair % 3), -1)


@pytest.mark.parametrize(
    ("size", "longest", "share"),
    [(8, 2, 0.9), (2**16 + 1, 14, 0.9), (100, 0, 0.9), (100, 15, 0.9), (100, 2, 1.1), (100, 2, math.nan)],
)
def test_a_dictionary_that_cannot_be_is_refused(size: int, longest: int, share: float) -> None:
    with pytest.raises(ValueError, match="entries of up to"):
        method.dictionary(share, size, longest)


# The codec


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    """Rows of zeros, of nonzeros, of one kind, at random, with one code alone; any width."""
    columns = draw(st.integers(1, 70))
    code = st.integers(0, 2)
    row = st.one_of(
        st.just([0] * columns),
        st.lists(st.integers(1, 2), min_size=columns, max_size=columns),
        st.lists(code, min_size=columns, max_size=columns),
        code.map(lambda c: [c] * columns),
        st.tuples(st.integers(0, columns - 1), code).map(lambda t: [t[1] * (i == t[0]) for i in range(columns)]),
    )
    return torch.tensor(draw(st.lists(row, min_size=1, max_size=6)), dtype=torch.uint8)


@settings(deadline=None, max_examples=60)
@given(codes=matrices(), share=st.sampled_from([0.4, 0.8, 0.95]), longest=st.sampled_from([1, 4, 14]))
def test_the_round_trip_loses_nothing(codes: Tensor, share: float, longest: int) -> None:
    d = small(share, 200, longest)
    kept = method.encode(codes, d)
    assert torch.equal(method.decode(kept, d), codes)
    assert torch.equal(method.unpack(method.pack(codes), codes.shape[1]), codes)
    found = entries(d)
    for r, row in enumerate(codes.tolist()):  # each row by itself, from the words alone
        words = kept.words[kept.offsets[r] : kept.offsets[r + 1]]
        alone = [code for word in words.tolist() for code in found[word & 0xFFFF]]
        assert alone == row + [0] * (len(row) % 2)
        assert len(words) == fewest(alone, set(found)), "longest first is not the shortest way here"
    assert kept.bits == 16 * len(kept.words) + 32 * (len(codes) + 1)


def fewest(row: list[int], found: set[tuple[int, ...]]) -> int:
    """The least number of entries whose concatenation is ``row``, over all ways to cut it."""
    best = [0] + [len(row)] * (len(row) // 2)
    for end in range(1, len(best)):
        begins = range(max(0, end - 14), end)
        best[end] = 1 + min(best[b] for b in begins if tuple(row[2 * b : 2 * end]) in found)
    return best[-1]


@pytest.mark.parametrize(("columns", "words"), [(1, 1), (28, 1), (29, 2), (56, 2), (57, 3), (280, 10)])
def test_a_row_of_zeros_takes_the_longest_entries(columns: int, words: int) -> None:
    kept = method.encode(torch.zeros(3, columns, dtype=torch.uint8), method.dictionary(0.9, 2000))
    assert kept.offsets.tolist() == [0, words, 2 * words, 3 * words]


def test_codewords_above_32767_are_unsigned() -> None:
    d = method.dictionary(0.6)
    codes = drawn(200, 301, 0.6)
    kept = method.encode(codes, d)
    assert (kept.words < 0).any()
    assert torch.equal(method.decode(kept, d), codes)
    w = batches.compressed(replace(place(), size="cpu"), codes, torch.ones(200, 2), torch.arange(301.0))
    assert (w.compressed.words < 0).any()
    assert not refused(method.fused(w), w)


@pytest.mark.parametrize(("share", "gap"), [(0.5, 1.06), (0.8, 1.12), (0.9, 1.25)])
def test_codewords_come_near_the_entropy(share: float, gap: float) -> None:
    codes = drawn(64, 4096, share)
    bits = 16 * len(method.encode(codes, method.dictionary(share)).words) / codes.numel()
    assert quality.entropy(share) < bits < gap * quality.entropy(share)


def test_what_is_no_ternary_matrix_is_refused() -> None:
    for bad in (torch.tensor([[0, 3]]), torch.tensor([[0, -1]]), torch.zeros(2, 0, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="0, 1 or 2"):
            method.encode(bad, small())


def test_codewords_that_do_not_fill_the_rows_are_refused() -> None:
    kept = method.encode(drawn(4, 31, 0.8), small())
    with pytest.raises(ValueError, match="4 rows of 32"):
        method.decode(replace(kept, words=kept.words[:-1]), small())


# The products

METHODS = {"two-bit": method.two_bit, "dictionary": method.fused}
each = pytest.mark.parametrize("name", METHODS)


@each
@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-13), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_products_are_those_of_the_weights(name: str, share: float, dtype: torch.dtype, limit: float) -> None:
    w = batches.make(place(dtype), share)
    y = METHODS[name](w)
    assert y.dtype == dtype
    assert error(y, oracle.product(w)) < limit


@each
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_rows_of_one_kind_are_summed_exactly(name: str, kind: int) -> None:
    codes = torch.full((33, 61), kind, dtype=torch.uint8)
    grid = torch.tensor([[2.0, -3.0]]).repeat(33, 1)
    w = batches.compressed(place(), codes, grid, torch.arange(61.0))
    assert METHODS[name](w).tolist() == [[0.0, 2.0, -3.0][kind] * 1830] * 33


def test_size_tiny_crosses_tiles_and_blocks_with_remainders() -> None:
    w = batches.make(place(), 0.5)
    rows, columns = w.weight.shape
    assert rows > method.TILES["cpu"]
    assert rows % method.TILES["cpu"]
    assert columns % 2
    assert columns % 4
    words = w.compressed.offsets.diff()
    assert (words > 64).all(), "rows do not cross a block of the kernel"
    assert len(words.unique()) > 1
    e = batches.make_experts(place(), 2)
    assert len(e.counts) % 2
    assert e.weight.shape[2] > e.block
    assert e.weight.shape[2] % e.block
    assert e.counts[-1] == 0


def refused(y: Tensor, w: Matrix) -> bool:
    return not judge(y, oracle.product(w), close(), "fp32").passed


def test_a_codeword_lost_from_the_last_row_is_caught() -> None:
    w = batches.make(place(), 0.5)
    c = w.compressed
    assert not refused(method.fused(w), w)
    assert refused(method.fused(replace(w, compressed=replace(c, words=c.words[:-1]))), w)


def test_a_row_that_begins_a_code_late_is_caught() -> None:
    w = batches.make(place(), 0.9)
    assert refused(method.fused(replace(w, x=w.x.roll(-1))), w)


@each
def test_a_column_lost_from_the_ragged_end_is_caught(name: str) -> None:
    w = batches.make(place(), 0.5)
    x = w.x.clone()
    x[-1] = 0
    assert refused(METHODS[name](replace(w, x=x)), w)


def test_decoding_agrees_with_the_comparisons_of_the_oracle() -> None:
    for columns in (37, 101):
        w = batches.make_columns(place(), columns)
        assert torch.equal(method.decoded(w), oracle.codes(w))
        assert torch.equal(method.unpacked(w), oracle.codes(w))
