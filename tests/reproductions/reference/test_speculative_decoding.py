"""Speculative decoding: the target's text and distribution, whatever the draft; planted faults; the tree."""

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Generator, Tensor

from reproductions.harness.spec import Place
from reproductions.reference.speculative_decoding import benchmark, method, tree
from reproductions.reference.speculative_decoding.oracle import oracle
from reproductions.reference.speculative_decoding.workload import MARGIN, Text, clear, make, random_pair
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.transformer import Decoder, ModelConfig

torch.set_num_threads(1)  # many small products: a second thread only waits
GAMMAS = (0, 1, 3, 30)  # the last is longer than the whole answer
FORMS = [method.autoregressive, method.speculative, tree.tree]
REJECT = 1e-6  # a right rule is called wrong once in a million seeds; these seeds are fixed


def text(gamma: int = 3, seed: int = 3, dtype: torch.dtype = torch.float64) -> Text:
    return make(Place("cpu", dtype, seed, "tiny"), gamma)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("run", FORMS)
def test_greedy_text_is_the_targets_own(run: Callable[[Text], Tensor], gamma: int) -> None:
    for seed in range(3):
        w = text(gamma, seed)
        assert run(w).tolist() == oracle(w).tolist()


@pytest.mark.parametrize("run", FORMS)
def test_single_precision_gives_the_same_tokens(run: Callable[[Text], Tensor]) -> None:
    w = text(dtype=torch.float32)
    assert run(w).tolist() == oracle(w).tolist()


def test_the_workload_keeps_clear_of_ties() -> None:
    w = text()
    for prompt, answer in zip(w.prompts.tolist(), oracle(w).tolist(), strict=True):
        with torch.no_grad():
            best = w.target(torch.tensor([prompt + answer]))[0, len(prompt) - 1 : -1].topk(2).values
        assert float((best[:, 0] - best[:, 1]).min()) >= MARGIN
    assert clear(w.target, w.prompts[0].tolist(), w.count)
    with torch.no_grad():
        w.target.head.weight.mul_(1e-6)
    assert not clear(w.target, w.prompts[0].tolist(), w.count)


@pytest.mark.parametrize("run", [method.speculate, tree.speculate_tree])
def test_a_perfect_draft_needs_the_fewest_passes(run: Callable[..., tuple[Tensor, method.Count]]) -> None:
    w = text()
    for gamma in (1, 3, 4):
        answer, happened = run(w.target, copy.deepcopy(w.target), w.prompts[0], w.count, gamma)
        assert answer.tolist() == oracle(w)[0].tolist()
        assert happened.kept == happened.proposed
        assert len(happened.kept) == -(-w.count // (gamma + 1))
        assert benchmark.acceptance(happened) == 1


@pytest.mark.parametrize("run", [method.speculate, tree.speculate_tree])
def test_a_hopeless_draft_costs_one_pass_a_token_and_changes_nothing(
    run: Callable[..., tuple[Tensor, method.Count]],
) -> None:
    w = text()
    draft = copy.deepcopy(w.target)
    draft.head.weight = torch.nn.Parameter(-draft.head.weight)  # now likes best what the target likes least
    answer, happened = run(w.target, draft, w.prompts[0], w.count, 3)
    assert answer.tolist() == oracle(w)[0].tolist()
    assert not any(happened.kept)
    assert len(happened.kept) == w.count


def test_no_guesses_are_plain_decoding() -> None:
    w = text(0)
    answer, happened = method.speculate(w.target, w.draft, w.prompts[0], w.count, 0)
    assert answer.tolist() == method.autoregressive(w)[0].tolist()
    assert happened.proposed == [0] * w.count
    assert benchmark.claim(w) == 1


def test_what_a_step_yields_adds_up() -> None:
    w = text()
    for run in (method.speculate, tree.speculate_tree):
        _, happened = run(w.target, w.draft, w.prompts[0], w.count, 3)
        assert sum(happened.kept) + len(happened.kept) == w.count
        assert all(0 <= kept <= proposed <= 3 for kept, proposed in zip(happened.kept, happened.proposed, strict=True))
        assert 0 < sum(happened.kept) < sum(happened.proposed), "this workload is meant to keep some and refuse some"


def test_more_branches_never_keep_less_in_the_first_step() -> None:
    for seed in range(5):
        w = text(seed=seed)
        for prompt in w.prompts:
            chain = method.speculate(w.target, w.draft, prompt, w.count, 3)[1]
            assert tree.speculate_tree(w.target, w.draft, prompt, w.count, 3)[1].kept[0] >= chain.kept[0]


def test_the_house_draft_is_mostly_right() -> None:
    w = make(Place("cpu", torch.float32, 1, "cpu"), 4)
    answer, happened = method.speculate(w.target, w.draft, w.prompts[0], w.count, w.gamma)
    assert answer.tolist() == method.autoregressive(w)[0].tolist()
    assert benchmark.acceptance(happened) > 0.5
    assert benchmark.tokens_a_step(happened) > 2
    assert benchmark.claim(w) > 1


# The distribution. p and q are far apart, so that a wrong rule is far off.
P = torch.tensor([[5, 2, 2, 1, 0], [1, 1, 1, 1, 6], [3, 3, 2, 1, 1]], dtype=torch.float64) / 10
Q = torch.tensor([[1, 6, 1, 1, 1], [2.5, 2.5, 2.5, 2.5, 0]], dtype=torch.float64) / 10


def one_token(p: Tensor, q: Tensor) -> Tensor:
    """The distribution of the first token that comes out, by enumerating every proposal. [V]."""
    tokens = torch.arange(len(p))
    kept = q * torch.where(q > 0, method.keep_probability(p.expand(len(p), -1), q.expand(len(p), -1), tokens), 0)
    return kept + (1 - kept.sum()) * method.residual(p, q)


@pytest.mark.parametrize("seed", range(5))
def test_the_rule_gives_the_targets_distribution_exactly(seed: int) -> None:
    assert torch.allclose(one_token(P[0], Q[0]), P[0], atol=1e-15)
    p, q = torch.rand(2, 7, generator=Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)
    assert torch.allclose(one_token(p, q), p, atol=1e-15)


def not_the_residual(p: Tensor, q: Tensor) -> Tensor:
    """The planted fault: after a refusal, draw from the target as if nothing had been refused."""
    return p


def residual_without_cut(p: Tensor, q: Tensor) -> Tensor:
    """Another: the residual without cutting off what is negative."""
    return (p - q).abs() / (p - q).abs().sum(-1, keepdim=True)


@pytest.mark.parametrize("wrong", [not_the_residual, residual_without_cut])
def test_the_exact_law_rejects_a_wrong_residual(wrong: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "residual", wrong)
    assert not torch.allclose(one_token(P[0], Q[0]), P[0], atol=1e-2)


def judged(count: int, seed: int = 0) -> dict[tuple[int, int], int]:
    """How often ``judge`` made each pair of first tokens, in ``count`` trials with two proposals each."""
    generator = Generator().manual_seed(seed)
    found: Counter[tuple[int, int]] = Counter()
    for _ in range(count):
        x = torch.multinomial(Q, 1, generator=generator)[:, 0]
        kept, last = method.judge(P, Q, x, generator)
        after = [*x[:kept].tolist(), int(last)]
        if kept == 0:  # the second token would come from the next step, which follows P[1] by the same law
            after.append(int(torch.multinomial(P[1], 1, generator=generator)))
        found[after[0], after[1]] += 1
    return found


def chance(found: Mapping[Any, int], expected: Tensor) -> float:
    """How likely counts as far from ``expected`` [V, V] as these are, if the rule is right."""
    cells = [cell for cell in itertools.product(*map(range, expected.shape)) if expected[cell] > 0]
    if set(found) - set(cells):
        return 0.0
    total = sum(found.values())
    return float(chisquare([found.get(c, 0) for c in cells], [float(expected[c]) * total for c in cells]).pvalue)


def test_judged_tokens_follow_the_target() -> None:
    assert chance(judged(3000), P[0][:, None] * P[1][None, :]) > REJECT


@pytest.mark.parametrize("wrong", [not_the_residual, residual_without_cut])
def test_the_same_test_rejects_a_wrong_residual(wrong: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "residual", wrong)
    assert chance(judged(3000), P[0][:, None] * P[1][None, :]) < REJECT


def test_the_same_test_rejects_keeping_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "keep_probability", lambda p, q, x: torch.ones(len(x), dtype=p.dtype))
    assert chance(judged(3000), P[0][:, None] * P[1][None, :]) < REJECT


def small(seed: int) -> Decoder:
    """A model of four words with clear opinions."""
    model = Decoder(ModelConfig(vocab=4, width=8, layers=1, heads=1, kv_heads=1, hidden=8)).initialise(seed).double()
    with torch.no_grad():
        model.head.weight.mul_(60)
    return model


@torch.no_grad()
def pair_distribution(model: Decoder, prompt: list[int], temperature: float) -> Tensor:
    """The probability of each pair of words after ``prompt``, [V, V], by reading each first word."""
    first = (model(torch.tensor([prompt]))[0, -1] / temperature).softmax(-1)
    second = [(model(torch.tensor([[*prompt, word]]))[0, -1] / temperature).softmax(-1) for word in range(4)]
    return first[:, None] * torch.stack(second)


def sampled(
    target: Decoder, draft: Decoder, prompt: list[int], temperature: float, count: int
) -> dict[tuple[int, int], int]:
    generator = Generator().manual_seed(0)
    found: Counter[tuple[int, int]] = Counter()
    for _ in range(count):
        answer, _ = method.speculate(target, draft, torch.tensor(prompt), 2, 2, temperature, generator)
        found[int(answer[0]), int(answer[1])] += 1
    return found


def test_sampled_text_follows_the_target_and_not_the_draft() -> None:
    target, draft, prompt = small(1), small(2), [0, 1, 2]
    found = sampled(target, draft, prompt, 1.5, 700)
    assert chance(found, pair_distribution(target, prompt, 1.5)) > REJECT
    assert chance(found, pair_distribution(draft, prompt, 1.5)) < REJECT
    assert chance(found, pair_distribution(target, prompt, 1.0)) < REJECT


# Planted faults in the caches and in the mask.
def test_one_guess_kept_too_many_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = text()
    real = method.judge

    def generous(p: Tensor, q: Tensor, x: Tensor, generator: Generator | None = None) -> tuple[int, Tensor]:
        kept, last = real(p, q, x, generator)
        return min(kept + 1, len(x)), last

    monkeypatch.setattr(method, "judge", generous)
    assert not torch.equal(method.speculative(w), oracle(w))


def test_distributions_read_one_place_off_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = text()
    real = method.judge
    monkeypatch.setattr(method, "judge", lambda p, q, x, generator=None: real(p.roll(1, 0), q, x, generator))
    assert not torch.equal(method.speculative(w), oracle(w))


def test_a_cut_one_too_short_is_harmless_because_the_token_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    w = text()
    real = KVCache.truncate
    monkeypatch.setattr(KVCache, "truncate", lambda self, length: real(self, length - 1))
    assert torch.equal(method.speculative(w), oracle(w))


def test_branches_that_see_each_other_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [text(seed=seed) for seed in range(4)]
    truth = [oracle(w) for w in wrong]
    monkeypatch.setattr(tree, "ancestors", lambda branch, positions: positions[None, :] <= positions[:, None])
    assert any(not torch.equal(tree.tree(w), t) for w, t in zip(wrong, truth, strict=True))


def test_a_winner_moved_from_one_slot_aside_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = text()
    real = tree.keep
    monkeypatch.setattr(tree, "keep", lambda cache, length, first, kept: real(cache, length, first + 1, kept))
    assert not torch.equal(tree.tree(w), oracle(w))


def test_the_mask_is_the_tree() -> None:
    branch = torch.tensor([-1, -1, 0, 0, 1, 1])
    positions = torch.tensor([4, 5, 6, 7, 6, 7])
    expected = ["100000", "110000", "111000", "111100", "110010", "110011"]
    assert tree.ancestors(branch, positions).int().tolist() == [[int(c) for c in row] for row in expected]


def test_one_pass_over_a_tree_is_one_pass_for_each_branch() -> None:
    target, _ = random_pair(1)
    target = target.double()
    prompt, trunk = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([[9, 2]])
    chains = torch.tensor([[6, 5, 3], [5, 8, 9], [7, 9, 3]])
    with torch.no_grad():
        cache = KVCache(target, 1, 20)
        target(prompt, cache)
        after_trunk, after = tree.read_tree(target, cache, trunk, chains)
        for row, chain in enumerate(chains):
            alone = target(torch.cat((prompt, trunk, chain[None]), dim=1))[0, 6:].argmax(-1).tolist()
            assert [int(after_trunk), *after[row].tolist()] == alone
    assert all(block.attention.attend is tree.attend for block in target.blocks)  # type: ignore[union-attr]


# The model of the gain.
def test_the_expected_gain_is_the_papers() -> None:
    for alpha, gamma, c in itertools.product((0.0, 0.3, 0.9), (1, 2, 5), (0.0, 0.1, 1.0)):
        closed = (1 - alpha ** (gamma + 1)) / ((1 - alpha) * (gamma * c + 1))
        assert benchmark.expected_gain(alpha, gamma, c) == pytest.approx(closed)
    assert benchmark.expected_gain(1.0, 4, 0.0) == 5
    assert benchmark.expected_gain(0.7, 0, 0.5) == 1


def test_acceptance_counts_judged_guesses_only() -> None:
    happened = method.Count(proposed=[3, 3, 2, 0], kept=[3, 1, 0, 0])
    assert benchmark.acceptance(happened) == pytest.approx(4 / 6)  # refusals: one in the second step, one in the third
    assert benchmark.tokens_a_step(happened) == 2
    assert benchmark.acceptance(method.Count([0, 0], [0, 0])) == 0


def test_the_cost_ratio_counts_every_matrix_once() -> None:
    w = text()
    assert benchmark.matrices(w.target) == 32 * 32 + 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48)
    assert benchmark.cost_ratio(w) == benchmark.matrices(w.draft) / benchmark.matrices(w.target)
    untied = Decoder(ModelConfig(vocab=32, width=32, layers=2, heads=4, kv_heads=2, hidden=48, tied=False))
    assert benchmark.matrices(untied) == benchmark.matrices(w.target)


def test_quality_names_every_form_once() -> None:
    found = [(q.method, q.metric, q.detail) for q in benchmark.quality(text())]
    assert len(found) == len(set(found)) == 8
    assert {name for name, _, _ in found} == {"speculative", "tree"}


def test_the_peer_agrees_where_it_is_installed() -> None:
    pytest.importorskip("transformers")
    from reproductions.reference.speculative_decoding.peers import transformers_assisted

    w = text(dtype=torch.float32)
    assert transformers_assisted(w).tolist() == oracle(w).tolist()
