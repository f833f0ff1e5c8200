"""What a run takes and what a worker has, in words."""

import pytest

from reproductions.needs import GIB, Has, lacking, of, wanted

LISTED = {"needs": {"gpu": False, "triton": True, "processes": 2, "memory_gib": {"gpu": 40.0}}, "sizes": ["cpu", "gpu"]}


def test_needs_depend_on_the_size():
    assert of(LISTED, "cpu") == {"processes": 2}
    assert of(LISTED, "gpu") == {"gpu": True, "triton": True, "processes": 2, "memory_gib": 40.0}
    assert of({}, "cpu") == {"processes": 1}
    assert of({"slug": "x", "unavailable": "needs torch"}, "gpu") == {"gpu": True, "processes": 1}


@pytest.mark.parametrize(
    ("has", "words"),
    [
        (Has(("cpu",)), "does not serve the queue gpu"),
        (Has(("*",)), "no GPU"),
        (Has(("*",), gpu=True), "Triton"),
        (Has(("*",), gpu=True, triton=True, memory_bytes=24 * GIB), "24 GiB of memory of 40 GiB"),
        (Has(("*",), gpu=True, triton=True, torch=False), "torch is not installed"),
        (Has(("*",), gpu=True, triton=True, runnable={"other": {}}), "does not have this technique"),
        (Has(("*",), gpu=True, triton=True, runnable={"gptq": {"unavailable": "needs scipy"}}), "needs scipy"),
        (Has(("*",), gpu=True, triton=True, runnable={"gptq": {"sizes": ["tiny"]}}), "no size gpu"),
    ],
)
def test_each_reason_has_its_words(has, words):
    assert words in "; ".join(lacking("gptq", "gpu", "gpu", of(LISTED, "gpu"), has))


def test_a_worker_that_has_all_lacks_nothing_and_unknown_memory_is_not_small():
    has = Has(("cpu", "gpu"), gpu=True, triton=True, memory_bytes=None, runnable={"gptq": {"sizes": ["gpu"]}})
    assert lacking("gptq", "gpu", "gpu", of(LISTED, "gpu"), has) == []
    assert (
        wanted("gpu", of(LISTED, "gpu"))
        == "serves the queue gpu, has a GPU, has 40 GiB of memory and has Triton installed"
    )
    assert wanted("cpu", {}) == "serves the queue cpu"
