"""Text to tokens and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions.testbed.absent import Absent
from reproductions.testbed.tokenizer import ByteTokenizer, packaged


@given(st.text())
def test_bytes_round_trip(text):
    tokens = ByteTokenizer().encode(text)
    assert ByteTokenizer().decode(tokens) == text
    assert tokens == list(text.encode("utf-8"))


def test_broken_utf8_is_shown_not_raised():
    assert ByteTokenizer().decode([0x41, 0xFF, 0x42]) == "A\ufffdB"


def test_a_number_that_is_no_byte_is_refused():
    with pytest.raises(ValueError, match="256"):
        ByteTokenizer().decode([256])


def test_a_missing_package_is_named():
    with pytest.raises(Absent, match="needs no-such-package") as caught:
        packaged("no-such-package", "x")
    assert caught.value.name == "no-such-package"
    assert isinstance(caught.value, ImportError)


def test_a_file_missing_from_a_package_is_named():
    with pytest.raises(Absent, match=r"without numpy/no\.bin"):
        packaged("numpy", "numpy/no.bin")
