"""What the compression is for, told by numbers: bits of a parameter in each form, and what is lost by them."""

import math
from collections.abc import Sequence

from reproductions.harness.spec import Quality
from reproductions.reference.qmoe.method import dictionary, encode
from reproductions.reference.qmoe.quantise import grouped, levels, round_to_nearest
from reproductions.reference.qmoe.trained import Layer, as_tokens, quantise_mixture, rounded, second_order, texts
from reproductions.reference.qmoe.workload import Experts, Matrix
from reproductions.testbed import mixture, perplexity, text


def entropy(share: float) -> float:
    """Bits of a code that is zero with probability ``share`` and else high or low alike."""
    parts = (share, (1 - share) / 2, (1 - share) / 2)
    return -sum(p * math.log2(p) for p in parts if p)


def quality(w: Matrix) -> Sequence[Quality]:
    """Bits of a parameter in each form, with all that a row needs; the dictionary is shared and told apart."""
    rows, count, nonzeros = len(w.grid), w.weight.numel(), w.csr[1].numel()
    forms = {
        "dense": (16.0, "fp16"),
        "two-bit": ((8 * w.two_bit.numel() + 32 * rows) / count, "codes and grids"),
        "torch-csr": ((48 * nonzeros + 32 * rows) / count, "fp16 values, columns, row offsets"),
        "dictionary": ((w.compressed.bits + 32 * rows) / count, "codewords, row offsets and grids"),
        "codewords alone": (16 * w.compressed.words.numel() / count, "codewords"),
        "entropy bound": (entropy(1 - nonzeros / count), "independent codes at this share of zeros"),
    }
    told = [Quality(name, "bits_per_parameter", v, "bit", "lower", note) for name, (v, note) in forms.items()]
    return [*told, Quality("dictionary", "zero_share", 100 * (1 - nonzeros / count), "%", "higher")]


def quality_experts(w: Experts) -> Sequence[Quality]:
    """Error of the outputs on inputs not calibrated on, over the experts that had tokens; and the trained mixture."""
    allowed = levels(w.weight, 3, w.weight.dtype)
    rtn = allowed.gather(-1, round_to_nearest(w.weight, allowed).long())
    truth, rows = w.held_out.double() @ w.weight[:-1].double().mT, []
    for name, made in {"rtn": rtn, "gptq": grouped(w)["weight"]}.items():
        error = float((w.held_out.double() @ made[:-1].double().mT - truth).norm() / truth.norm())
        rows.append(Quality(name, "output_error", error, "", "lower", "random experts, held-out inputs"))
    return rows + trained_qualities() if w.real else rows


def trained_qualities() -> list[Quality]:
    """Bits a byte of the mixture, and bits a parameter of its experts, before and after each way of quantising."""
    calibration, unseen, name = texts()
    tokens, sample, detail = as_tokens(calibration, 64), text.excerpts(unseen), f"house mixture, {name}"
    full = perplexity.bits_per_byte(mixture.load_mixture(), sample)
    rows = [Quality("full", "bits_per_byte", full, "bit", "lower", detail)]
    ways = {
        "rtn": (rounded, 3),
        "gptq": (second_order, 3),
        "rtn, 2 bits": (rounded, 4),
        "gptq, 2 bits": (second_order, 4),
    }
    for way, (quantise, count) in ways.items():
        model = mixture.load_mixture()
        layers = quantise_mixture(model, tokens, quantise, count)
        lost = perplexity.bits_per_byte(model, sample)
        rows.append(Quality(way, "bits_per_byte", lost, "bit", "lower", detail))
        if count == 3:
            rows += sizes_of(way, layers)
    return rows


def sizes_of(way: str, layers: Sequence[Layer]) -> list[Quality]:
    """The share of zeros in ternary experts, and bits of a parameter with one dictionary made for that share."""
    every = [layer.codes.flatten(0, 1) for layer in layers]
    count, rows = sum(codes.numel() for codes in every), sum(len(codes) for codes in every)
    share = sum(int((codes == 0).sum()) for codes in every) / count
    d = dictionary(share)
    kept = [encode(codes, d) for codes in every]
    words = 16 * sum(c.words.numel() for c in kept) / count
    whole = (sum(c.bits for c in kept) + 32 * rows) / count  # a grid: two values of 16 bits for each row
    forms = {
        "": (whole, "codewords, row offsets and grids"),
        ", codewords alone": (words, "codewords"),
        ", entropy bound": (entropy(share), "independent codes at this share of zeros"),
    }
    told = [
        Quality(way + form, "bits_per_parameter", bits, "bit", "lower", f"house mixture, experts; {note}")
        for form, (bits, note) in forms.items()
    ]
    return [Quality(way, "zero_share", 100 * share, "%", "higher", "house mixture, experts"), *told]
