"""A search query read into terms that either database can be asked for. Any text is a query; none is an error."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 200
MOST_TERMS = 16
# A phrase in quotes or one word; a minus before it, at the start of a word, means "without".
_PIECE = re.compile(r'((?<!\S)-)?(?:"([^"]*)"|([^\W_]+))')
_WORD = re.compile(r"[^\W_]+")
# -ise and -ize are spellings of one word, but a stemmer keeps them apart.
_ISE = re.compile(r"(?<=\w\w)i([sz])(?=(?:e|ed|er|ers|es|ing|able|ation|ations)$)")
# Words that hold no meaning alone; the English dictionary of PostgreSQL leaves them out too.
_EMPTY_WORDS = "a an and are as at be by can do does for from how in is it its of on or that the this to with"
_EMPTY = frozenset(_EMPTY_WORDS.split())


@dataclass(frozen=True)
class Term:
    """What a record must hold: any one of ``forms``. A form of several words is a phrase."""

    forms: tuple[str, ...]
    unwanted: bool = False
    prefix: bool = False


def folded(text: str) -> str:
    """``text`` in lower case without accents: Ré reads re."""
    marked = unicodedata.normalize("NFKD", text[:LONGEST])
    return "".join(letter for letter in marked if not unicodedata.combining(letter)).lower()


def terms(text: str) -> tuple[Term, ...]:
    """The terms of a query, at most ``MOST_TERMS`` from its first ``LONGEST`` characters.

    The last word may be half typed, so it matches as a beginning too. Without a wanted term there are none at all.
    """
    found = []
    for minus, phrase, word in _PIECE.findall(folded(text)):
        words = _WORD.findall(phrase or word)
        if words and not (len(words) == 1 and words[0] in _EMPTY):
            found.append(Term(_spellings(" ".join(words)), unwanted=bool(minus)))
    found = found[:MOST_TERMS]
    if found and not found[-1].unwanted and len(found[-1].forms[0]) > 1 and folded(text)[-1:].isalnum():
        found[-1] = Term(found[-1].forms, prefix=" " not in found[-1].forms[0])
    return tuple(found) if any(not term.unwanted for term in found) else ()


def _spellings(form: str) -> tuple[str, ...]:
    if " " in form:
        return (form,)
    other = _ISE.sub(lambda match: "iz" if match[1] == "s" else "is", form)
    return tuple(dict.fromkeys((form, other)))
