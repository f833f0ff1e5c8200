"""Word by word: nothing is lost between the pieces, and long texts do not take long."""

import time

from hypothesis import given
from hypothesis import strategies as st

from review.worddiff import AROUND, pieces

TEXTS = st.text(alphabet="ab \n.é", max_size=200)


@given(TEXTS, TEXTS)
def test_what_was_cut_apart_goes_together_again(old, new):
    found = pieces(old, new)
    if not any(piece.kind == "cut" for piece in found):
        assert "".join(piece.text for piece in found if piece.kind != "new") == old
        assert "".join(piece.text for piece in found if piece.kind != "gone") == new
    kinds = [piece.kind for piece in found]
    assert all(piece.text for piece in found)
    assert ("gone" in kinds or "new" in kinds) == (old != new)


def test_a_changed_word_stands_among_its_neighbours():
    words = [f"w{number}" for number in range(100)]
    after = [*words[:50], "another", *words[51:]]
    found = pieces(" ".join(words), " ".join(after))
    assert [(piece.kind, piece.text) for piece in found if piece.kind in {"gone", "new"}] == [
        ("gone", "w50"),
        ("new", "another"),
    ]
    assert sum(len(piece.text.split()) for piece in found if piece.kind == "same") <= 2 * AROUND + 2


def test_a_megabyte_is_compared_in_a_moment():
    start = time.perf_counter()
    pieces("word " * 200_000, "other " * 200_000)
    assert time.perf_counter() - start < 3
