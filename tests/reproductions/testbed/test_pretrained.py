"""SmolLM2 and MiniLM, where their packages are installed (both are optional)."""

import math

import pytest
import torch

from reproductions.testbed.absent import Absent
from reproductions.testbed.encoder import sentence_vectors
from reproductions.testbed.generate import generate
from reproductions.testbed.perplexity import nats_per_token
from reproductions.testbed.tokenizer import minilm_tokenizer
from reproductions.testbed.weights import load_minilm, load_smollm2, smollm2_tokenizer

PARAGRAPH = (
    "Photosynthesis is the process by which green plants, algae and some bacteria turn light into chemical energy. "
    "Water is taken up by the roots, carbon dioxide enters through small pores in the leaves, and sunlight drives a "
    "chain of reactions that ends in sugar and oxygen."
)


def present(*loaders):
    try:
        return [loader() for loader in loaders]
    except Absent as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def smollm2():
    return present(load_smollm2, smollm2_tokenizer)


@pytest.fixture(scope="module")
def minilm():
    return present(load_minilm, minilm_tokenizer)


def test_smollm2_knows_the_capital_of_france(smollm2):
    model, tokenizer = smollm2
    prompt = tokenizer.encode("The capital of France is")
    with torch.no_grad():
        share, token = model(torch.tensor([prompt]))[0, -1].softmax(-1).max(-1)
    assert tokenizer.decode([int(token)]) == " Paris"
    assert share > 0.7
    assert " Paris" in tokenizer.decode(generate(model, torch.tensor([prompt]), 4)[0].tolist())


def test_smollm2_reads_english_and_stumbles_over_shuffled_words(smollm2):
    model, tokenizer = smollm2
    tokens = torch.tensor(tokenizer.encode(PARAGRAPH))
    shuffled = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))]
    plain, mixed = (math.exp(nats_per_token(model, t, window=len(t) - 1)) for t in (tokens, shuffled))
    assert plain < 20  # half-split rotation, the likely mistake, gives several times as much
    assert mixed > 300


def test_smollm2_tokens_round_trip(smollm2):
    tokenizer = smollm2[1]
    text = "In 2023, 1,234 people: naïve 日本 <|im_start|>user\n  x = 3\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("<|im_start|>") == [1]
    assert len(tokenizer.encode("1234")) == 4


def test_minilm_puts_like_sentences_together(minilm):
    model, tokenizer = minilm
    sentences = ["A man is playing a guitar.", "Someone plays an instrument.", "The stock market fell sharply today."]
    rows = [tokenizer.encode(sentence) for sentence in sentences]
    assert rows[0][0] == 101  # [CLS]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    here = torch.tensor([[i < len(row) for i in range(longest)] for row in rows])
    with torch.no_grad():
        vectors = sentence_vectors(model(tokens, here), here)
        alone = sentence_vectors(model(tokens[1:2, : len(rows[1])]), here[1:2, : len(rows[1])])
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.5
    assert alike[0, 2] < 0.2
    torch.testing.assert_close(alone[0], vectors[1], rtol=1e-4, atol=1e-5)
