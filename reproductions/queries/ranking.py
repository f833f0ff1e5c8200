"""The best publications for some words, ranked once for each version of the catalogue: ranking reads all that match."""

from collections.abc import Sequence

from reproductions.queries.memory import Memory, version
from review.search import PUBLICATIONS
from review.search_terms import Term

_ranked: Memory[list[int]] = Memory(200)


def publications(wanted: Sequence[Term], any_of: bool = False) -> list[int]:
    """Their keys, best first, at most ``MOST_HITS``."""
    if not wanted:
        return []
    key = (tuple(wanted), any_of, version())
    return _ranked.get(key) or _ranked.keep(key, PUBLICATIONS.ranked(wanted, any_of))
